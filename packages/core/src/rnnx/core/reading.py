"""Which files the data were read from, and what was in them, so that a run can tell when one changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from zlib import crc32

from rnnx.core.errors import InputError
from rnnx.core.files import write_text
from rnnx.core.runs import DATA

_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[Mapping[str, str]]:
    """Collects what readers :func:`note`: the digest of each file, by its path as it was typed.

    Example:
        >>> with noting() as read:
        ...     note("text.txt", b"a b c")
        >>> read
        {'text.txt': '5 bytes, crc32 c82e0dd0'}
    """
    found: dict[str, str] = {}
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def note(path: str | Path, content: bytes) -> None:
    """Says that a file was read; what reads data from files calls it, and nothing comes of it elsewhere.

    The checksum takes less than a second a GB, where reading the words takes half a minute.

    Args:
        path: The file.
        content: What is in it, unpacked.
    """
    found = _noted.get()
    if found is not None:
        found[str(path)] = f"{len(content)} bytes, crc32 {crc32(content):08x}"


def keep(read: Mapping[str, str], folder: Path) -> None:
    """Writes what was read for a run into its folder, as ``data.json``; nothing where no file was noted."""
    if read:
        write_text(folder / DATA, json.dumps(read, indent=2, ensure_ascii=False) + "\n")


def changed(read: Mapping[str, str], folder: Path) -> list[str]:
    """The files that were read for a run before, see :func:`keep`, and are others now.

    Args:
        read: From :func:`noting`.
        folder: The run's folder; one without ``data.json`` knows of none.

    Raises:
        InputError: that file is not what :func:`keep` writes.
    """
    path = folder / DATA
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise InputError(path, f"not JSON: {error}") from None
    if not isinstance(before, dict):
        raise InputError(path, "expected an object of texts by file")
    return [file for file, digest in read.items() if before.get(file, digest) != digest]


def told(files: list[str]) -> str:
    """What is said of files that changed.

    Example:
        >>> told(["a.txt"])
        'a.txt is not what it was when the run began; what is measured on it does not compare with that'
    """
    are = "is not what it was" if len(files) == 1 else "are not what they were"
    them = "it" if len(files) == 1 else "them"
    names = " and ".join(files)
    return f"{names} {are} when the run began; what is measured on {them} does not compare with that"
