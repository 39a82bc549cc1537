"""Lightning's way into a run's history."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from rnnx.core.errors import RunError
from rnnx.core.running.history import METRICS, table, write


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
        self._columns = table(self.path)[0] if self.path.exists() else []

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
            rows = table(self.path)[1] if self.path.exists() else []
            self._columns += new
            write(self.path, self._columns, rows)
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self._columns, lineterminator="\n").writerow(row)
        except OSError as error:
            raise RunError(f"{self.path}: could not be written: {error.strerror or error}") from error
