"""A file that another file names: it has to lie in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from rnnx.core.errors import InputError

LONGEST: Final = 255  # bytes of the name of a file or a folder
LONGEST_PATH: Final = 1024  # characters of several of them


def inside(folder: Path, name: str, path: str | Path, line: int | None = None) -> Path:
    """The file of that name in a folder, whether it is there or not.

    Args:
        folder: The folder.
        name: The name as it was found; it may lead through folders below, with either slash.
        path: The file that it was found in.
        line: Its line there.

    Raises:
        InputError: the name is empty, or leads out of the folder.

    Example:
        >>> inside(Path("images"), "train/1.jpg", "metadata.csv").as_posix()
        'images/train/1.jpg'
        >>> inside(Path("images"), "../1.jpg", "metadata.csv", line=7)
        Traceback (most recent call last):
            ...
        rnnx.core.errors.InputError: metadata.csv:7: expected the name of a file in 'images', got '../1.jpg'
    """
    parts = PureWindowsPath(name)  # which knows the slashes, the drives and the roots of both worlds
    if not parts.parts or parts.anchor or ".." in parts.parts or not _can_be(name, parts.parts):
        raise InputError(path, f"expected the name of a file in '{folder}', got {name!r}", line)
    return folder.joinpath(*parts.parts)


def _can_be(name: str, parts: Sequence[str]) -> bool:
    """Whether a file system takes such a name."""
    try:
        longest = max(len(part.encode()) for part in parts)
    except UnicodeEncodeError:  # JSON can say half a character
        return False
    return longest <= LONGEST and len(name) <= LONGEST_PATH and "\0" not in name
