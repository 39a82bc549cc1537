"""The files that options name, looked at before any is read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rnnx.core.errors import UsageError
from rnnx.core.paths import typed
from rnnx.tasks.parts.files.text import what_there_is


def refuse_unreadable(files: Iterable[tuple[str, str | Path | None]]) -> None:
    """Refuses files from which nothing can be read, all of them at once, by the options that name them.

    Args:
        files: The option, without ``data.``, and the file; None where it names none.

    Raises:
        UsageError: a file is not there, is a folder, is empty, or may not be read.

    Example:
        >>> refuse_unreadable([("train", "/"), ("valid", None), ("test", "no/such/file")])
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: data.train: expected a file, and '/' is a folder
        data.test: there is no file 'no/such/file'; there is no folder 'no/such' either; check the path
    """
    problems = [
        f"data.{option}: {problem}"
        for option, path in files
        if path is not None and (problem := _seen(typed(path)))
    ]
    if problems:
        raise UsageError(*problems)


def _seen(path: Path) -> str | None:
    try:
        return _problem(path)
    except PermissionError:
        return f"'{path}' lies in a folder that may not be entered; see to its permissions"


def _problem(path: Path) -> str | None:
    if path.is_dir():
        return f"expected a file, and '{path}' is a folder"
    if not path.exists():
        return f"there is no file '{path}'; {what_there_is(path)}"
    if not os.access(path, os.R_OK):
        return f"the file '{path}' may not be read; see to its permissions"
    if path.is_file() and path.stat().st_size == 0:
        return f"the file '{path}' is empty"
    return None
