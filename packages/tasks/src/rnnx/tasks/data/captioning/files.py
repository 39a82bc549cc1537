"""Photographs and captions in Flickr8k's format (Hodosh et al. 2013), which Flickr30k shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from rnnx.tasks.data.captioning.flickr import Flickr
from rnnx.tasks.data.captioning.photographs import Photographs
from rnnx.tasks.data.captioning.stored import folder
from rnnx.tasks.parts.files.contained_path import inside


@final
@dataclass(kw_only=True, eq=False)
class Files(Flickr, Photographs):
    """Your own photographs in one folder, a text file of captions, and a list of images for each split.

    Args:
        images: The folder of the photographs, ``Flicker8k_Dataset``.
    """

    images: str

    def place(self, name: str, path: Path, line: int) -> Path:
        """A file of the folder."""
        return inside(folder("images", self.images), name, path, line)
