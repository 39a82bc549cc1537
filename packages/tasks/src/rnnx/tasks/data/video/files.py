"""Frames as image files, a folder for each video, with labels in MS-TCN's layout (Farha & Gall 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from rnnx.core.bounds import Positive
from rnnx.tasks.data.video.layout import Entry, Layout
from rnnx.tasks.parts.files.frame_folder import read_frames


@final
@dataclass(kw_only=True, eq=False)
class Files(Layout):
    """Your own frames: a folder with ``frames/VIDEO/``, the images of each video in natural order.

    The other files are ``groundTruth/VIDEO.txt``, the name of a class on each line, one for each frame;
    ``mapping.txt``, the number and the name of a class on each line; and ``splits/train.split1.bundle`` and
    ``splits/test.split1.bundle``, the name ``VIDEO.txt`` of a video on each line.

    Args:
        size: Height and width that all frames are scaled to; by default they are as they are, and equal.
        grey: Whether frames are read in shades of grey, not in colours.
    """

    size: tuple[Positive, Positive] | None = None
    grey: bool = False

    def place(self, entry: Entry) -> Path:
        """The folder of a video."""
        return entry.file(self.root / "frames")

    def read(self, place: Path) -> NDArray[np.uint8]:
        """Its pictures, ``(T, C, H, W)``, which are kept in memory."""
        return read_frames(place, 1 if self.grey else 3, self.size)
