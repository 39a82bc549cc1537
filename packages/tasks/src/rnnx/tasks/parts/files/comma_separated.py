"""Comma-separated text (RFC 4180), or with semicolons, each row with the line that it begins in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.text import read_text

SEPARATORS: Final = {",": "comma", ";": "semicolon"}


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    r"""The rows of a file: the line that each begins in, counted from 1, and its fields.

    Fields are separated by semicolons where commas leave the first row whole and semicolons do not, as
    spreadsheets write it in the countries that have a decimal comma.

    Args:
        path: The file; a name in ``.gz`` is unpacked.

    Raises:
        UsageError, InputError: as for :func:`rnnx.tasks.parts.files.text.read_text`.
        InputError: quotes are not as they should be.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "dogs.csv")
        >>> _ = file.write_text('"a\ndog",1\ncat,2\n')
        >>> list(read_rows(file))
        [(1, ['a\ndog', '1']), (3, ['cat', '2'])]
    """
    text = read_text(path)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        problem = f"not {SEPARATORS[separator]}-separated text: {error}"
        raise InputError(
            path, f"{problem}; a quote within quotes is written twice, and each is closed", line
        ) from error


def _separator(text: str) -> str:
    """What the first row is separated by; a comma where nothing is."""
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        with suppress(csv.Error):
            if len(next(filter(None, reader), [])) > 1:
                return separator
    return ","
