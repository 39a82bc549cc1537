from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import final

import numpy as np
import pytest
import torch

from rnnx.core.data import Split
from rnnx.core.declarations.validation import validate
from rnnx.core.options import options_of
from rnnx.tasks.data.video.example import Video
from rnnx.tasks.data.video.videos import Videos

LENGTHS = (5, 9, 2, 7, 3, 8)


def video(length: int) -> Video:
    """Each frame and each label tells its place."""
    return Video(np.stack([np.arange(length), np.full(length, length)], 1), list(range(length)), f"v{length}")


@final
@dataclass(kw_only=True, eq=False)
class Given(Videos):
    """Videos of these lengths to train on, and two others."""

    @property
    def classes(self) -> list[str]:
        return list("abcdefghi")

    def videos(self) -> dict[Split, list[Video]]:
        train = [video(length) for length in LENGTHS]
        return {"train": train, "valid": [video(4)], "test": [video(6), video(1)]}


def test_the_meta_says_what_there_is() -> None:
    meta = Given(every=2).meta
    assert meta == {
        "classes": list("abcdefghi"),
        "shape": [2],
        "every": 2,
        "videos": {"train": 6, "valid": 1, "test": 2},
        "places": ["v6", "v1"],
    }
    assert json.loads(json.dumps(meta)) == meta


@pytest.mark.parametrize(
    ("every", "frames"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (4, [0, 4]), (9, [0])]
)
def test_of_so_many_frames_the_first_is_read(every: int, frames: list[int]) -> None:
    batch = next(iter(Given(every=every, batch_size=2).loader("test")))
    row = batch.index.tolist().index(0)
    assert batch.inputs[row, :, 0].tolist() == frames
    assert batch.targets[row].tolist() == frames
    assert sorted(batch.lengths.tolist()) == [1, len(frames)]


def test_training_is_in_a_new_order_each_epoch_and_evaluation_is_by_length() -> None:
    torch.manual_seed(0)
    data = Given(batch_size=2)
    loader = data.loader("train")
    epochs = [[batch.index.tolist() for batch in loader] for _ in range(3)]
    assert all(sorted(chain(*epoch)) == [0, 1, 2, 3, 4, 5] for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) > 1
    assert [batch.lengths.tolist() for batch in data.loader("test")] == [[1, 6]]


def test_each_row_is_its_video() -> None:
    for batch in Given(batch_size=4).loader("train"):
        for position, length, inputs in zip(batch.index, batch.lengths, batch.inputs, strict=True):
            assert length == LENGTHS[position]
            assert inputs[0, 1] == length


def test_numbers_out_of_bounds_are_refused() -> None:
    given = {"every": 0, "batch_size": 0, "workers": -1}
    assert set(validate("data", "data", options_of(Given), given)[1]) == set(given)
