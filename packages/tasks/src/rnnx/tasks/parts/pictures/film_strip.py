"""A video of few and small frames as one line of text: its film strip, a picture in a ``data:`` URL."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.image_file import measured, read_picture

SCHEME: Final = "data:image/png;base64,"  # RFC 2397
SHEET_FRAMES: Final = 10  # of a contact sheet, at most
SHOWN: Final = 40  # characters of a line that is refused


def film_strip(frames: NDArray[np.uint8]) -> str:
    """Pictures ``(T, C, H, W)`` one below the other; a browser shows what its address line is given.

    Example:
        >>> line = film_strip(np.zeros((3, 1, 8, 8), dtype=np.uint8))
        >>> line[:30]
        'data:image/png;base64,iVBORw0K'
        >>> read_film_strip(line, (1, 8, 8)).shape
        (3, 1, 8, 8)
    """
    T, C, H, W = frames.shape
    rows = frames.transpose(0, 2, 3, 1).reshape(T * H, W, C)
    file = BytesIO()
    Image.fromarray(rows[:, :, 0] if C == 1 else rows).save(file, "png")
    return SCHEME + base64.b64encode(file.getvalue()).decode()


def contact_sheet(frames: NDArray[np.uint8]) -> str:
    """Some pictures of ``(T, C, H, W)``, evenly spaced from the first to the last, side by side, as a URL.

    Example:
        >>> from rnnx.tasks.parts.pictures.film_strip import SHEET_FRAMES
        >>> frames = np.zeros((50, 1, 8, 8), dtype=np.uint8)
        >>> read_film_strip(contact_sheet(frames), (1, 8, SHEET_FRAMES * 8)).shape
        (1, 1, 8, 80)
    """
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), SHEET_FRAMES)).round().astype(int)
    return film_strip(np.concatenate(frames[chosen], axis=-1)[np.newaxis])


def read_film_strip(line: str, shape: Sequence[int]) -> NDArray[np.uint8]:
    """The pictures ``(T, C, H, W)`` of a line that :func:`film_strip` made.

    Args:
        line: It.
        shape: Channels, height and width of a picture.

    Raises:
        InputError: it holds no image, or one that is not of that width, or not a multiple of that height.
    """
    C, H, W = shape
    name = f"{line[:SHOWN]}..."
    try:
        content = base64.b64decode(line.removeprefix(SCHEME), validate=True)
    except ValueError as error:
        raise InputError(name, f"expected an image in base64 ({error})") from None
    picture = read_picture(BytesIO(content), name, C)
    if picture.shape[2] != W or picture.shape[1] % H:
        raise InputError(
            name, f"expected frames of {W} x {H} pixels one below the other, got {measured(picture)}"
        )
    return picture.reshape(C, -1, H, W).swapaxes(0, 1)
