"""What every stored source checks, of images that are given; :mod:`test_flickr` has it with files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.captioning.listing import Listed, Listing
from rnnx.tasks.data.captioning.stored import Stored
from rnnx.tasks.parts.files.faults import Faults

WIDTH = 2


def _read(width: int) -> NDArray[Any]:
    if not width:
        raise InputError("row", "there is nothing")
    return np.zeros((1, width))


@final
@dataclass(kw_only=True, eq=False)
class Given(Stored):
    """Images that lie nowhere, by the widths of their features: 0 cannot be read, -2 has no caption."""

    widths: dict[Split, list[int]]

    def listing(self, split: Split) -> Listing:
        widths = self.widths[split]
        images = [
            Listed(partial(_read, abs(width)), ["a dog"] if width >= 0 else [], f"{split}.csv", row)
            for row, width in enumerate(widths, 1)
        ]
        return Listing(Faults(f"{split}.csv", self.skip), len(widths), images)

    def reader(self, place: Path) -> Callable[[], NDArray[Any]]:
        raise AssertionError("they lie nowhere")


def given(train: list[int], test: list[int], skip: bool = False) -> Given:
    return Given(widths={"train": train, "valid": [WIDTH], "test": test}, skip=skip)


def test_images_that_lie_nowhere_are_kept_apart() -> None:
    found = given([WIDTH, WIDTH], [WIDTH]).captioned()
    assert {split: len(images) for split, images in found.items()} == {"train": 2, "valid": 1, "test": 1}


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([2, 0], [2], "row: there is nothing"),
        ([2, -2], [2], "train.csv:2: there is no caption of the image; give one"),
        ([2], [], "test.csv: expected test images, and there is none"),
    ],
)
def test_what_is_wrong_stops_the_run(train: list[int], test: list[int], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        given(train, test).prepare()
    assert str(caught.value) == expected


def test_it_is_left_out_where_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    data = given([0, 2, 2], [-2, 2, 0], skip=True)
    assert data.meta["images"] == {"train": 2, "valid": 1, "test": 1}
    assert caplog.messages == [
        "'train.csv': left out 1 of 3 train images; the first: row: there is nothing",
        "'test.csv': left out 2 of 3 test images; the first: test.csv:1: there is no caption of the image; "
        "give one",
    ]
    with pytest.raises(InputError, match=r"^test\.csv: none of 2 test images can be used; the first: row: "):
        given([2], [0, 0], skip=True).prepare()
