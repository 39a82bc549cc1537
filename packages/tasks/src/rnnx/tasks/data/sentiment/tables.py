"""Texts and labels from tables: tab-separated, comma-separated, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, final

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.sentiment.texts import Found, checked
from rnnx.tasks.parts.files.comma_separated import read_rows
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.gzip_text import suffix
from rnnx.tasks.parts.files.json_text import parsed
from rnnx.tasks.parts.files.text import read_lines

Column: TypeAlias = int | str
Row: TypeAlias = tuple[int, list[str]]  # the line that it begins in, and its fields

FORMATS: Final = (".tsv", ".csv", ".jsonl")
ENOUGH: Final = 10  # rows; where only the first of so many has its label, it is a header


@final
class Shape(NamedTuple):
    """How the rows of a table are.

    Attributes:
        text: The place of the text in a row, from 0.
        label: That of the label.
        width: How many fields a row has.
        header: Whether the first row has the names of the columns.
    """

    text: int
    label: int
    width: int
    header: bool


@final
class Columns(NamedTuple):
    """Where text and label are: names, or numbers from 1.

    None for the two columns of a table that has no more, and for the keys ``text`` and ``label``.
    """

    text: Column | None = None
    label: Column | None = None


def format_of(path: Path) -> str:
    """The ending that tells the format of a table, ``.gz`` aside; empty where it is none.

    Example:
        >>> format_of(Path("train.tsv.gz")), format_of(Path("train.txt"))
        ('.tsv', '')
    """
    ending = suffix(path)
    return ending if ending in FORMATS else ""


def read(path: Path, columns: Columns, skip: bool) -> list[Found]:
    """The texts of a table.

    With columns by name the first line of ``.tsv`` and ``.csv`` has the names. Tab-separated text knows no
    quotes; comma-separated text has those of RFC 4180, also with semicolons.

    Args:
        path: The file; a name in ``.gz`` is unpacked.
        columns: Which ones are meant.
        skip: Whether rows that cannot be used are left out and counted.

    Raises:
        UsageError: there are no such columns.
        InputError: a row is ragged, or has no text or no label; or the file cannot be read.
    """
    faults, found = Faults(path, skip), list[Found]()
    if format_of(path) == ".jsonl":
        keys = _keys(columns)
        lines = read_lines(path)
        for number, text in enumerate(lines, 1):
            with faults:
                found.append(_object(path, number, text, *keys))
        faults.report(len(lines), "lines")
        return found
    rows = list(_tabs(path) if format_of(path) == ".tsv" else read_rows(path))
    shape = _shape(path, columns, rows[0][1])
    body = rows[1:] if shape.header else rows
    for line, fields in body:
        with faults:
            if len(fields) != shape.width:
                raise InputError(path, _ragged(shape, columns, len(fields)), line)
            found.append(checked(Found(fields[shape.text], fields[shape.label], str(path), line)))
    faults.report(len(body), "rows")
    if not shape.header:
        _refuse_header(path, found, rows[0][1])
    if not found:
        raise InputError(path, "expected a row at least under the names of the columns")
    return found


def _tabs(path: Path) -> Iterator[Row]:
    for number, line in enumerate(read_lines(path), 1):
        yield number, line.split("\t")


def _shape(path: Path, columns: Columns, first: list[str]) -> Shape:
    """The shape of a table with this first row."""
    if columns == (None, None):
        return Shape(text=0, label=1, width=2, header=False)
    given: dict[str, Column | None] = {"data.text": columns.text, "data.label": columns.label}
    header = any(isinstance(column, str) for column in given.values())
    places, problems = [], []
    for option, column in given.items():
        match column:
            case None:
                problems.append(f"{option}: say which column it is, as the other is said")
            case str() if column in first:
                places.append(first.index(column))
            case int() if column <= len(first):
                places.append(column - 1)
            case _:
                problems.append(f"{option}: '{path}' has no column {column!r}; its first line is {first}")
    if problems:
        raise UsageError(*problems)
    text, label = places
    return Shape(text, label, len(first), header)


def _ragged(shape: Shape, columns: Columns, found: int) -> str:
    """What is wrong with a row of so many fields, and what to do where it has more than two."""
    problem = f"expected {shape.width} columns, got {found}"
    if columns == (None, None) and found > shape.width:
        return f"{problem}; of more than two, say which are data.text and data.label"
    return problem


def _refuse_header(path: Path, found: list[Found], first: list[str]) -> None:
    """A line of names, read as an example, would be a class of its own."""
    labels = [text.label for text in found]
    if len(labels) >= ENOUGH and found[0].line == 1 and labels.count(labels[0]) == 1:
        names = " ".join(first)
        raise InputError(
            path,
            f"no other line has the label {labels[0]!r}; if the columns have names ({names}), say which "
            "are data.text and data.label, else leave the line out",
            1,
        )


def _keys(columns: Columns) -> tuple[str, str]:
    text, label = columns.text or "text", columns.label or "label"
    if isinstance(text, int) or isinstance(label, int):
        raise UsageError("data.text, data.label: JSON lines have keys and no numbered columns; name the keys")
    return text, label


def _object(path: Path, number: int, line: str, text: str, label: str) -> Found:
    """The text and the label of a line; a whole number will do as a label."""
    row: Any = parsed(line, path, number)
    if not isinstance(row, dict):
        raise InputError(path, f"expected an object, got {type(row).__name__}", number)
    if not isinstance(row.get(text), str) or type(row.get(label)) not in (str, int):
        got = ", ".join(f"{key}: {type(value).__name__}" for key, value in row.items()) or "nothing"
        raise InputError(
            path,
            f"expected a text under '{text}' and a text or an integer under '{label}', got {got}",
            number,
        )
    return checked(Found(row[text], str(row[label]), str(path), number))
