"""The metrics of a run over time, ``metrics.csv``: each step once."""

from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path

from rnnx.core.errors import InputError
from rnnx.core.files import write_text

METRICS = "metrics.csv"


def settle(folder: Path) -> int:
    """Makes the rows of a run's history last, and says how many there are; 0 where there is none."""
    path = folder / METRICS
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return len(table(path)[1])


def cut(folder: Path, rows: int) -> None:
    """Leaves the first rows of a run's history, those from before a checkpoint; the others come again."""
    path = folder / METRICS
    if path.exists():
        columns, known = table(path)
        write(path, columns, known[:rows])


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a history, each with a step, and with a number or nothing in every column.

    Raises:
        InputError: the file is none of rnnx's.
    """
    columns, rows = table(path)
    if rows and "step" not in columns:
        raise InputError(path, f"expected a column 'step', got {', '.join(columns)}", 1)
    for number, row in enumerate(rows, 2):
        if not row["step"] or None in row or not all(map(_is_number, row.values())):
            raise InputError(path, f"expected a step and numbers in {', '.join(columns)}", number)
    return rows


def series(path: Path) -> dict[str, list[tuple[float, float]]]:
    """The metrics of a history, each as its points: the step and the value.

    Raises:
        InputError: the file is none of rnnx's.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in read(path):
        for name, value in row.items():
            if value and name not in ("step", "epoch"):
                found.setdefault(name, []).append((float(row["step"]), float(value)))
    return found


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the rows as they stand; the last row may be cut off.

    Raises:
        InputError: the file cannot be read, or is not comma-separated.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            return list(reader.fieldnames or ()), rows
    except (csv.Error, ValueError) as error:
        raise InputError(path, f"expected comma-separated text, as rnnx writes it: {error}") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None


def write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    """Writes a whole history, by :func:`rnnx.core.files.write_text`.

    Args:
        path: The file.
        columns: Their names.
        rows: Of each what it has, by column.
    """
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _is_number(text: str | None) -> bool:
    """Whether a field is a number or empty; one that a row lacks is None."""
    if not text:
        return text == ""
    try:
        float(text)
    except ValueError:
        return False
    return True
