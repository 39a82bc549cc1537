"""Files that are whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rnnx.core.errors import RunError


@contextmanager
def replacing(path: Path, previous: Path | None = None) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` once it is complete and on the disk.

    Until then, and if anything goes wrong, what was at ``path`` stays: a process that is killed, a power cut
    or a full disk leaves the old file or the new one.

    Args:
        path: The file.
        previous: Where the old file is kept.

    Raises:
        RunError: the disk does not take it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "numbers"
        ...     with replacing(path) as file:
        ...         _ = file.write(b"123")
        ...     path.read_bytes(), [file.name for file in Path(folder).iterdir()]
        (b'123', ['numbers'])
    """
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if previous is not None and path.exists():
                path.replace(previous)
            part.replace(path)
            _keep_name(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{path}: could not be written: {error.strerror or error}; what was there before is whole"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a text, in UTF-8, by :func:`replacing`.

    Raises:
        RunError: the disk does not take it.
    """
    with replacing(path) as file:
        file.write(text.encode())


def make_folder(path: Path, new: bool = False) -> None:
    """Makes a folder, and those above it.

    Args:
        path: The folder.
        new: Whether it may not be there yet.

    Raises:
        RunError: the disk does not take it.
    """
    try:
        path.mkdir(parents=True, exist_ok=not new)
    except OSError as error:
        made = "; something else made it meanwhile, so take another name" if new and path.is_dir() else ""
        raise RunError(f"{path}: the folder could not be made: {error.strerror or error}{made}") from error


def _keep_name(path: Path) -> None:
    """Makes the file's new name as lasting as its content."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
