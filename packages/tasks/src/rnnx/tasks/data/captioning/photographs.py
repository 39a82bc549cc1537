"""Photographs with captions."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rnnx.core.bounds import Positive
from rnnx.tasks.data.captioning.stored import Stored
from rnnx.tasks.parts.files.photograph import read_photograph


@dataclass(kw_only=True, eq=False)
class Photographs(Stored, ABC):
    """Photographs of any size, made squares.

    Args:
        side: Height and width in pixels that photographs are made: the shorter side is scaled to so many, and
            the middle kept.
        grey: Whether they are read in shades of grey, not in colours.
    """

    side: Positive = 128
    grey: bool = False

    @final
    def reader(self, place: Path) -> Callable[[], NDArray[Any]]:
        return partial(_read, place, self.channels, self.side)

    @property
    @final
    def channels(self) -> int:
        """Of the pictures: one of grey, three of colours."""
        return 1 if self.grey else 3


def _read(place: Path, channels: int, side: int) -> NDArray[np.uint8]:
    return read_photograph(place, channels, (side, side))[np.newaxis]
