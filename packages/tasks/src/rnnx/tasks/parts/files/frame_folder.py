"""The frames of a video as image files in a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnx.core.errors import InputError
from rnnx.core.paths import typed
from rnnx.tasks.parts.files.image_file import ENDINGS, is_image, measured, read_picture

NUMBER: Final = re.compile(r"([0-9]+)")


def read_frames(folder: str | Path, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The pictures of a folder, ``(T, C, H, W)``, in natural order.

    Args:
        folder: Its :func:`image_files` are the frames.
        channels: 3 for colours, 1 for shades of grey.
        size: The height and width that all are scaled to; by default they are as they are.

    Raises:
        InputError: there is no such folder, or no image in it; or an image does not decode, has more than 8
            bits a channel, or another size than the first.
    """
    files = image_files(typed(folder))
    first = read_picture(files[0], files[0], channels, size)
    frames = np.empty((len(files), *first.shape), first.dtype)
    for number, file in enumerate(files):
        picture = read_picture(file, file, channels, size)
        if picture.shape != first.shape:
            raise InputError(
                file,
                f"expected {measured(first)} as in '{files[0].name}', got {measured(picture)}; "
                "data.size scales all frames",
            )
        frames[number] = picture
    return frames


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder, in natural order: ``2.png`` before ``10.png``.

    Raises:
        InputError: there is no such folder, or no image in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("frame10.png", "frame9.PNG", "labels.txt"):
        ...     (folder / name).touch()
        >>> [file.name for file in image_files(folder)]
        ['frame9.PNG', 'frame10.png']
    """
    if not folder.is_dir():
        raise InputError(folder, "expected a folder of images, and there is no such folder; check the path")
    files = [file for file in folder.iterdir() if is_image(file)]
    if not files:
        raise InputError(folder, f"expected image files ({', '.join(ENDINGS)}), and there is none")
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def _natural(name: str) -> list[str | int]:
    """Text and numbers by turns."""
    return [int(part) if place % 2 else part for place, part in enumerate(NUMBER.split(name))]
