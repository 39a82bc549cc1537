"""Features computed beforehand for the places of each image, with captions in Flickr8k's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray

from rnnx.tasks.data.captioning.flickr import Flickr
from rnnx.tasks.data.captioning.stored import folder
from rnnx.tasks.parts.files.contained_path import inside
from rnnx.tasks.parts.files.feature_file import read_grid


@final
@dataclass(kw_only=True, eq=False)
class Features(Flickr):
    """Your own features: ``NAME.npy`` of each image ``NAME.jpg``, a row for each place to look at.

    An array is places x features, or features x height x width, as convolutional nets give them. All have as
    many features; places may differ.

    Args:
        features: The folder of the arrays.
    """

    features: str

    def place(self, name: str, path: Path, line: int) -> Path:
        """The array of an image."""
        return inside(folder("features", self.features), name, path, line).with_suffix(".npy")

    def reader(self, place: Path) -> Callable[[], NDArray[Any]]:
        return partial(read_grid, place)
