"""A photograph: of any size, it is read as the middle of it in the size that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rnnx.core.errors import InputError
from rnnx.core.paths import typed
from rnnx.tasks.parts.files.image_file import MODES, as_array, decoded


def read_photograph(path: str | Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle of a photograph, ``(C, H, W)``, from 0 to 255.

    Args:
        path: An image in any format that Pillow reads.
        channels: 3 for colours, 1 for shades of grey.
        size: The height and width that it is made; see :func:`photograph`.

    Raises:
        InputError: there is no such file, it does not decode, or has more than 8 bits a channel.
    """
    path = typed(path)
    if not path.is_file():
        raise InputError(path, "expected an image, and there is no such file; check the path")
    return photograph(path, path, channels, size)


def photograph(
    file: Path | IO[bytes], name: str | Path, channels: int, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The same of an open file.

    It is turned upright, as the camera says (EXIF); the largest piece from its middle of the shape that is
    asked for is kept; that is scaled.

    Args:
        file: An image in any format that Pillow reads.
        name: What an error calls it.
        channels: 3 for colours, 1 for shades of grey.
        size: The height and width that it is made.

    Raises:
        InputError: it does not decode, or has more than 8 bits a channel.

    Example:
        >>> from io import BytesIO
        >>> file = BytesIO()
        >>> Image.fromarray(np.array([[0, 10, 20, 30], [1, 11, 21, 31]], np.uint8)).save(file, "png")
        >>> photograph(file, "wide.png", channels=1, size=(2, 2)).tolist()
        [[[10, 20], [11, 21]]]
    """
    upright = ImageOps.exif_transpose(decoded(file, name)).convert(MODES[channels])
    return as_array(ImageOps.fit(upright, size[::-1], Image.Resampling.BILINEAR))
