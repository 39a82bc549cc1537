"""The digits against scikit-learn's own arrays."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.tasks.data.memory.digits import Digits

SIZES: dict[Split, int] = {"train": 1257, "valid": 180, "test": 360}
PICTURES, DIGITS = load_digits(return_X_y=True)


def whole(data: Digits, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The pixels ``(N, 64)``, from 0 to 16, and the digits of a split, in its order."""
    batches = list(data.loader(split))
    index = torch.cat([batch.index for batch in batches]).argsort()
    pixels = torch.cat([batch.inputs.flatten(1) for batch in batches])[index] * 16
    return pixels.numpy(), torch.cat([batch.targets for batch in batches])[index, 0].numpy()


def pairs(pixels: np.ndarray, digits: np.ndarray) -> Counter[tuple[int, ...]]:
    return Counter((*map(int, picture), int(digit)) for picture, digit in zip(pixels, digits, strict=True))


def test_the_splits_are_all_of_the_digits() -> None:
    data = Digits()
    data.prepare()
    splits = {split: whole(data, split) for split in SIZES}
    assert {split: len(digits) for split, (_, digits) in splits.items()} == SIZES
    together = sum((pairs(*split) for split in splits.values()), Counter())
    assert together == pairs(PICTURES, DIGITS)


def test_each_split_has_the_same_share_of_each_class() -> None:
    shares = np.bincount(DIGITS) / len(DIGITS)
    for split, size in SIZES.items():
        _, digits = whole(Digits(), split)
        assert np.abs(np.bincount(digits, minlength=10) - shares * size).max() <= 1.5


def test_who_sees_nothing_is_right_about_a_tenth() -> None:
    _, digits = whole(Digits(), "test")
    assert 100 * np.bincount(digits).max() / len(digits) == pytest.approx(10, abs=0.5)


def test_a_step_is_a_pixel_or_a_row_from_the_upper_left() -> None:
    (by_pixel, by_row) = (next(iter(Digits(by=by).loader("test"))) for by in ("pixel", "row"))  # type: ignore[arg-type]
    assert by_pixel.inputs.shape == (32, 64, 1)
    assert by_row.inputs.shape == (32, 8, 8)
    assert by_pixel.lengths.tolist() == [64] * 32
    assert by_row.lengths.tolist() == [8] * 32
    known = {tuple(picture.flatten()): picture for picture in load_digits().images}
    for sequence, rows in zip(by_pixel.inputs, by_row.inputs, strict=True):
        picture = known[tuple((sequence.double() * 16).flatten().tolist())]  # 8 rows of 8
        for y, x in ((0, 0), (0, 7), (3, 4), (7, 2)):
            assert sequence[8 * y + x, 0] * 16 == rows[y, x] * 16 == picture[y, x]
    assert by_row.inputs.dtype == torch.float32
    assert by_row.targets.dtype == torch.long
    assert by_row.targets.shape == (32, 1)


def test_pixels_are_from_0_to_1() -> None:
    pixels = torch.cat([batch.inputs for batch in Digits().loader("train")])
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


def same(one: list[Batch], other: list[Batch]) -> bool:
    return all(torch.equal(a.inputs, b.inputs) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("split", SIZES)
def test_the_split_follows_from_its_seed_alone(split: Split) -> None:
    torch.manual_seed(1)
    one, other = whole(Digits(), split), whole(Digits(seed=2), split)
    torch.manual_seed(2)
    again = whole(Digits(batch_size=7), split)
    assert pairs(*one) == pairs(*again)
    assert pairs(*one) != pairs(*other)
    assert np.array_equal(one[0], again[0])  # each at its place


def test_training_is_shuffled_anew_in_each_epoch_and_follows_from_the_seed_of_the_run() -> None:
    data = Digits()
    torch.manual_seed(1)
    loader = data.loader("train")
    first, second = list(loader), list(loader)
    assert not same(first, second)
    torch.manual_seed(1)
    assert same(list(data.loader("train")), first)
    torch.manual_seed(2)
    assert not same(list(data.loader("train")), first)
    for batch in (*data.loader("valid"), *data.loader("test")):
        assert batch.index.tolist() == list(range(int(batch.index[0]), int(batch.index[0]) + len(batch)))


def test_meta_is_plain() -> None:
    meta = Digits(by="row").meta
    assert json.loads(json.dumps(meta)) == meta
    assert meta == {
        "kind": "classes",
        "features": 8,
        "classes": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        "answers": 1,
        "shape": [8, 8],
        "scale": 16,
    }
    assert Digits().meta["features"] == 1
