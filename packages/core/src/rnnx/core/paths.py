"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rnnx.core.errors import UsageError

LONGEST: Final = 240  # bytes of a name: file systems take 255, and endings such as .de.gz may come to it
LONGEST_PATH: Final = 4000  # bytes of all names
SHOWN: Final = 30  # characters of a path that is refused


def typed(path: str | Path) -> Path:
    """A path, ``~`` and ``~user`` at its beginning read as shells do.

    It can then be asked whether there is such a file, which else may be an error of Python's own.

    Args:
        path: As it was typed.

    Raises:
        UsageError: no file can have such a name.

    Example:
        >>> typed("data/train.de").as_posix()
        'data/train.de'
        >>> typed("x" * 300)
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...': no file can have such a name
    """
    try:
        expanded = Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises where there is no such user
    except ValueError:  # no user can have such a name either
        expanded = Path(path)
    if not _can_be(expanded):
        shown = str(path)
        raise UsageError(
            f"{shown[:SHOWN] + '...' if len(shown) > SHOWN else shown!r}: no file can have such a name"
        )
    return expanded


def _can_be(path: Path) -> bool:
    """Whether a file system takes it."""
    try:
        names = [os.fsencode(name) for name in path.parts]
    except UnicodeEncodeError:  # half a character
        return False
    return (
        max(map(len, names), default=0) <= LONGEST
        and sum(map(len, names)) + len(names) <= LONGEST_PATH
        and not any(b"\0" in name for name in names)
    )
