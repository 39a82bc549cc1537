from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.features import Features

GRID = np.arange(12, dtype=np.float16).reshape(4, 3)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "grids").mkdir()
    for name, array in {"a": GRID, "b.2": GRID[:2], "c": GRID, "d": GRID}.items():
        np.save(tmp_path / f"grids/{name}.npy", array)
    (tmp_path / "captions.txt").write_text("a.jpg#0\tone\nb.2.jpg#0\ttwo\nc.jpg#0\tthree\nd.jpg#0\tfour\n")
    for name, line in {"train": "a.jpg\nb.2.jpg\n", "valid": "c.jpg\n", "test": "d.jpg\n"}.items():
        (tmp_path / f"{name}.txt").write_text(line)
    return tmp_path


def features(root: Path) -> Features:
    texts = {name: str(root / f"{name}.txt") for name in ("captions", "train", "valid", "test")}
    return Features(features=str(root / "grids"), **texts)  # type: ignore[arg-type]


def problem(root: Path) -> str:
    with pytest.raises((InputError, UsageError)) as caught:
        features(root).prepare()
    return str(caught.value).replace(f"{root}/", "")


def test_rows_are_places_and_fewer_are_padded(root: Path) -> None:
    data = features(root)
    assert data.meta["shape"] == [3]
    assert data.meta["places"] == [f"{root}/grids/d.npy"]
    (batch,) = data.loader("train")
    order = [1, 0] if batch.index.tolist() == [1, 0] else [0, 1]
    assert batch.inputs[order].tolist() == [
        [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]],
        [[0, 1, 2], [3, 4, 5], [0, 0, 0], [0, 0, 0]],
    ]
    assert batch.lengths[order].tolist() == [4, 2]
    assert batch.references is not None
    assert [batch.references[row] for row in order] == [("one",), ("two",)]


def test_maps_of_a_convolutional_net_are_places(root: Path) -> None:
    np.save(root / "grids/d.npy", np.arange(12.0).reshape(3, 2, 2))  # features, height, width
    (batch,) = features(root).loader("test")
    assert batch.inputs.tolist() == [[[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones((4, 2)), "expected 3 features, as 'grids/a.npy' has, got 2"),
        (np.where(GRID == 7, np.nan, GRID), "the features of place 2 (from 0) are not all finite numbers"),
        (
            np.ones((4, 3), int),
            "expected floating-point numbers of shape (places, features) or (features, height, width), "
            "got int64 of shape (4, 3)",
        ),
    ],
)
def test_wrong_features_are_named(array: Any, expected: str, root: Path) -> None:
    np.save(root / "grids/c.npy", array)
    assert problem(root) == f"grids/c.npy: {expected}"


def test_missing_features_are_named(root: Path) -> None:
    (root / "grids/b.2.npy").unlink()
    assert problem(root) == "train.txt:2: there is no file 'grids/b.2.npy'"
    (root / "train.txt").write_text("../a.jpg\n")
    assert problem(root) == "train.txt:1: expected the name of a file in 'grids', got '../a.jpg'"
    (root / "grids").rename(root / "other")
    assert problem(root) == "data.features: there is no folder 'grids'; check the path"
