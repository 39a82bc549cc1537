"""An image file as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rnnx.core.errors import InputError

MODES: Final = {1: "L", 3: "RGB"}  # Pillow's, by the number of channels
ENDINGS: Final = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
DEEP: Final = ("I", "F")  # what its modes of more than 8 bits a channel begin with


def is_image(file: Path) -> bool:
    """Whether the name says that a file is an image, by its ending; a hidden file never is.

    Example:
        >>> [is_image(Path(name)) for name in ("1.PNG", ".1.png", "labels.txt")]
        [True, False, False]
    """
    return file.suffix.lower() in ENDINGS and not file.name.startswith(".")


def read_picture(
    file: Path | IO[bytes], name: str | Path, channels: int, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """A picture, ``(C, H, W)``, from 0 to 255.

    Args:
        file: An image in any format that Pillow reads; of an animation, its first picture.
        name: What an error calls it.
        channels: 3 for colours, 1 for shades of grey.
        size: The height and width that it is scaled to; by default it is as it is.

    Raises:
        InputError: it does not decode, or has more than 8 bits a channel.

    Example:
        >>> from io import BytesIO
        >>> file = BytesIO()
        >>> Image.new("RGB", (20, 10), "red").save(file, "png")
        >>> read_picture(file, "red.png", channels=3, size=(1, 2)).tolist()
        [[[255, 255]], [[0, 0]], [[0, 0]]]
    """
    picture = decoded(file, name).convert(MODES[channels])
    if size is not None:
        picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    return as_array(picture)


def decoded(file: Path | IO[bytes], name: str | Path) -> Image.Image:
    """An image, whole and in memory.

    Args:
        file: An image in any format that Pillow reads; of an animation, its first picture.
        name: What an error calls it.

    Raises:
        InputError: it does not decode, has more than 8 bits a channel, or more pixels than Pillow deems safe
            (89 million).
    """
    try:
        with catch_warnings():
            simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                image.load()
    except UnidentifiedImageError:
        raise InputError(
            name, "expected an image, and it does not decode (its format is none that Pillow knows)"
        ) from None
    except Exception as error:  # decoders raise whatever they stumble over
        raise InputError(name, f"expected an image, and it does not decode ({error})") from None
    if image.mode.startswith(DEEP):
        raise InputError(name, f"expected 8 bits a channel, got an image of mode {image.mode}; convert it")
    return image


def as_array(picture: Image.Image) -> NDArray[np.uint8]:
    """The numbers of a picture in shades of grey or in colours, ``(C, H, W)``."""
    return np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1)


def measured(picture: NDArray[np.uint8]) -> str:
    """Width and height of a picture ``(C, H, W)``, in words.

    Example:
        >>> measured(np.zeros((3, 24, 32), dtype=np.uint8))
        '32 x 24 pixels'
    """
    _, height, width = picture.shape
    return f"{width} x {height} pixels"
