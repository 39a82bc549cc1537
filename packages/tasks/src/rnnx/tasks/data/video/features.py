"""Features computed beforehand for each frame, with labels, in MS-TCN's layout (Farha & Gall 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rnnx.tasks.data.video.layout import Entry, Layout
from rnnx.tasks.parts.files.feature_file import read_features


@final
@dataclass(kw_only=True, eq=False)
class Features(Layout):
    """Your own features: a folder with ``features/VIDEO.npy``, an array of features x frames for each video.

    Where each split has its own features, they are in ``features/split1/VIDEO.npy``. The other files are
    ``groundTruth/VIDEO.txt``, the name of a class on each line, one for each frame; ``mapping.txt``, the
    number and the name of a class on each line; and ``splits/train.split1.bundle`` and
    ``splits/test.split1.bundle``, the name ``VIDEO.txt`` of a video on each line.
    """

    def place(self, entry: Entry) -> Path:
        """The array of a video."""
        features = self.root / "features"
        own = features / f"split{self.split}"
        return entry.file(own if own.is_dir() else features, ".npy")

    def read(self, place: Path) -> NDArray[np.floating[Any]]:
        """Its numbers, ``(T, D)``; they stay in the file until they are used."""
        return read_features(place)
