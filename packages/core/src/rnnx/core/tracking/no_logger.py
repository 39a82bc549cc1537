"""No history of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger

from rnnx.core.running.ending import Ending
from rnnx.core.tracking.tracker import Mode, Tracker


@final
class NoLogger(Tracker):
    """Keeps no history; ``result.json`` is written all the same."""

    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        return []

    def finish(self, ending: Ending) -> None:
        pass
