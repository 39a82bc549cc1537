"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
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
        raise UsageError(f"{_short(str(path))}: no file can have such a name")
    return expanded


def refuse_elsewhere(option: str, name: str | None) -> None:
    """Refuses the name of a folder that would not lie in the one that holds runs, nor below it.

    Args:
        option: What the user calls it.
        name: As it was typed; None for one that the program makes, which lies there.

    Raises:
        UsageError: it leads out, to the holding folder itself, or to what no file can be called.

    Example:
        >>> refuse_elsewhere("name", "first/lstm")
        >>> refuse_elsewhere("name", "../lstm")
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: name: expected that of a folder within the folder of runs, got '../lstm';
        leave the way to it out, or say the folder of runs by out=FOLDER
    """
    if name is None:
        return
    path = PurePath(name.strip())
    if not path.parts or path.anchor or ".." in path.parts or not _can_be(path):
        raise UsageError(
            f"{option}: expected that of a folder within the folder of runs, got {_short(name)}; leave the "
            "way to it out, or say the folder of runs by out=FOLDER"
        )


def _short(path: str) -> str:
    """As a sentence quotes it."""
    return repr(f"{path[:SHOWN]}..." if len(path) > SHOWN else path)


def _can_be(path: PurePath) -> bool:
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
