"""What every source shares, of images that are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.captioning.captioned import Captioned
from rnnx.tasks.data.captioning.image import CaptionedImage
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

TRAIN = [["A dog.", "Two dogs run, fast."], ["A red cat isn't here"]]
VALID = [["A dog", "one dog"]]
TEST = [["The unseen, barks!", "a dog"], ["Dog"], ["a a"]]


@final
@dataclass(kw_only=True, eq=False)
class Given(Captioned):
    """Image n of a split is one place with the feature n."""

    train: list[list[str]] = field(default_factory=lambda: TRAIN)

    def captioned(self) -> dict[Split, list[CaptionedImage]]:
        texts: dict[Split, list[list[str]]] = {"train": self.train, "valid": VALID, "test": TEST}
        return {
            split: [
                CaptionedImage(partial(_place, number), captions, f"{split}/{number}.npy")
                for number, captions in enumerate(images)
            ]
            for split, images in texts.items()
        }


def _place(number: int) -> NDArray[Any]:
    return np.full((1, 2), float(number))


def rows(data: Given, split: Split) -> list[tuple[int, str, tuple[str, ...]]]:
    """Image, decoded target and references of each example, by its position."""
    vocabulary = Vocabulary.from_plain(data.meta["vocabulary"])
    found = {}
    for batch in data.loader(split):
        assert batch.references is not None
        assert batch.target_lengths is not None
        for row, position in enumerate(batch.index.tolist()):
            target = batch.targets[row, : batch.target_lengths[row]].tolist()
            assert target[-1] == vocabulary.eos
            assert vocabulary.eos not in target[:-1]
            image = int(batch.inputs[row, 0, 0])
            found[position] = (image, vocabulary.decode(target), batch.references[row])
    return [found[position] for position in sorted(found)]


def test_in_training_each_caption_is_an_example() -> None:
    first, second = ("a dog", "two dogs run fast"), ("a red cat is n't here",)
    assert rows(Given(), "train") == [
        (0, first[0], first),
        (0, first[1], first),
        (1, second[0], second),
    ]


def test_elsewhere_each_image_is_one_with_its_first_caption_and_all_references() -> None:
    assert rows(Given(), "valid") == [(0, "a dog", ("a dog", "one dog"))]
    assert rows(Given(), "test") == [
        (0, "<unk> <unk> <unk>", ("the unseen barks", "a dog")),
        (1, "dog", ("dog",)),
        (2, "a a", ("a a",)),
    ]


def test_what_there_is_stands_in_meta() -> None:
    meta = Given().meta
    assert {name: value for name, value in meta.items() if name != "vocabulary"} == {
        "vectors": None,
        "shape": [2],
        "places": ["test/0.npy", "test/1.npy", "test/2.npy"],
        "images": {"train": 2, "valid": 1, "test": 3},
        "examples": {"train": 3, "valid": 1, "test": 3},
        "left_out": 0,
    }
    assert Vocabulary.from_plain(meta["vocabulary"]).tokens == [
        *("<pad>", "<unk>", "<bos>", "<eos>"),
        *("a", "cat", "dog", "dogs", "fast", "here", "is", "n't", "red", "run", "two"),
    ]


def test_captions_may_keep_their_case_and_their_punctuation() -> None:
    assert rows(Given(lowercase=False), "train")[1][1] == "Two dogs run fast"
    assert rows(Given(punctuation=True), "train")[1][1] == "two dogs run, fast."
    kept = rows(Given(lowercase=False, punctuation=True), "train")
    assert kept[1][1:] == ("Two dogs run, fast.", ("A dog.", "Two dogs run, fast."))


def test_rare_words_are_unknown_in_targets_and_stay_in_references() -> None:
    train = [["a dog", "a cat"], ["a dog"]]
    assert rows(Given(train=train, min_frequency=2), "train")[1] == (0, "a <unk>", ("a dog", "a cat"))


def test_long_training_captions_are_left_out_told_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    Given().prepare()
    assert caplog.messages == []
    data = Given(max_length=4)
    assert [row[1] for row in rows(data, "train")] == ["a dog", "two dogs run fast"]
    assert data.meta["left_out"] == 1
    assert caplog.messages == ["left out 1 of 3 training captions, with more than 4 words (data.max_length)"]
    assert data.meta["examples"]["train"] == 2
    assert len(rows(Given(max_length=2), "test")) == 3
    with pytest.raises(UsageError) as caught:
        Given(max_length=1).prepare()
    assert str(caught.value) == "data.max_length: every training caption has more than 1 words; raise it"


def test_training_is_in_a_new_order_each_epoch_and_the_rest_by_length() -> None:
    data = Given(train=[[f"{'very ' * (n % 3)}w{n}"] for n in range(30)], batch_size=4)
    torch.manual_seed(1)
    loader = data.loader("train")
    first, second = ([batch.index.tolist() for batch in loader] for _ in range(2))
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(30))
    assert first != second
    (batch,) = data.loader("test")
    assert batch.index.tolist() == [1, 2, 0]


def test_a_loader_with_workers_gives_the_same() -> None:
    batches = [[batch.inputs.tolist() for batch in Given(workers=n).loader("test")] for n in (0, 1)]
    assert batches[0] == batches[1]
