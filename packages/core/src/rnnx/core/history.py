"""The metrics of a run over time, ``metrics.csv``: each step once."""

from __future__ import annotations

import csv
import os
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from rnnx.core.errors import InputError, RunError
from rnnx.core.files import write_text

METRICS = "metrics.csv"


@final
class History(Logger):
    """Lightning's logger into ``metrics.csv``: a row a log, a column a metric, first ``epoch`` and ``step``.

    A row is in the file as soon as it is logged. A file that is there already is gone on with.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / METRICS
        self._columns = _read(self.path)[0] if self.path.exists() else []

    @property
    def name(self) -> str:
        """Of the file."""
        return METRICS

    @property
    def version(self) -> str:
        """None."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: ``config.yaml`` has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Adds a row.

        Raises:
            RunError: the disk does not take it.
        """
        row = {"epoch": metrics.get("epoch", ""), "step": step} | metrics
        new = [name for name in row if name not in self._columns]
        if new:
            rows = _read(self.path)[1] if self.path.exists() else []
            self._columns += new
            _write(self.path, self._columns, rows)
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self._columns, lineterminator="\n").writerow(row)
        except OSError as error:
            raise RunError(f"{self.path}: could not be written: {error.strerror or error}") from error


def settle(folder: Path) -> int:
    """Makes the rows of a run's history last, and says how many there are; 0 where there is none."""
    path = folder / METRICS
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return len(_read(path)[1])


def cut(folder: Path, rows: int) -> None:
    """Leaves the first rows of a run's history, those from before a checkpoint; the others come again."""
    path = folder / METRICS
    if path.exists():
        columns, known = _read(path)
        _write(path, columns, known[:rows])


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a history, each with a step, and with a number or nothing in every column.

    Raises:
        InputError: the file is none of rnnx's.
    """
    columns, rows = _read(path)
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


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the rows; the last one may be cut off."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            return list(reader.fieldnames or ()), rows
    except (csv.Error, ValueError) as error:
        raise InputError(path, f"expected comma-separated text, as rnnx writes it: {error}") from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None


def _is_number(text: str | None) -> bool:
    try:
        return text == "" or isinstance(float(text or "none"), float)
    except ValueError:
        return False


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
