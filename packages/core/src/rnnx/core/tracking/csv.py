"""The history of a run as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger

from rnnx.core.running.ending import Ending
from rnnx.core.running.history_logger import History
from rnnx.core.tracking.tracker import Mode, Tracker


@final
class CSV(Tracker):
    """Writes ``metrics.csv`` in the run's folder."""

    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        return [History(folder)]

    def finish(self, ending: Ending) -> None:
        pass
