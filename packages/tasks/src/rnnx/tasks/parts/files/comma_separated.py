"""Comma-separated text (RFC 4180), each row with the line that it begins in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.text import read_text


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    r"""The rows of a file: the line that each begins in, counted from 1, and its fields.

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
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(path, f"not comma-separated text: {error}", line) from error
