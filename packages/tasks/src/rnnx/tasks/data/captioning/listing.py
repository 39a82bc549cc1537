"""What the files of a split say: its images, and the captions of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, final

from numpy.typing import NDArray

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.texts.caption_text import words


@final
class Listed(NamedTuple):
    """An image that a file names, not read yet.

    Attributes:
        read: Reads it.
        captions: Its captions, perhaps none.
        path: The file that names it.
        line: Its line there, if it has lines.
        place: Where the image is; empty where it lies nowhere.
    """

    read: Callable[[], NDArray[Any]]
    captions: list[str]
    path: str | Path
    line: int | None = None
    place: str = ""


@final
class Listing(NamedTuple):
    """A split.

    Attributes:
        faults: What is wrong in it, so far.
        total: How many images there are, those with faults included.
        images: Those without.
    """

    faults: Faults
    total: int
    images: list[Listed]


def checked(caption: str, path: str | Path, line: int | None = None) -> str:
    """A caption without the blanks around it.

    Args:
        caption: As it was found.
        path: The file that it was found in.
        line: Its line there.

    Raises:
        InputError: there is no word in it.

    Example:
        >>> checked(" a dog . ", "captions.txt")
        'a dog .'
    """
    if not words(caption):
        raise InputError(path, f"expected a caption with a word in it, got {caption!r}", line)
    return caption.strip()
