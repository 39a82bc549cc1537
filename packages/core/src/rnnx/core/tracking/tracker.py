"""Where the metrics of a run go: the contract of a plugin of the section ``logger``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lightning.pytorch.loggers import Logger

from rnnx.core.running.ending import Ending

Mode: TypeAlias = Literal["min", "max"]


class Tracker(ABC):
    """Follows one run; a plugin of the entry-point group ``rnnx.loggers``."""

    @abstractmethod
    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        """Starts.

        Args:
            folder: The run's folder.
            config: The resolved configuration, plain data.
            metric: The validation metric that chooses the best model, such as ``valid/loss``.
            mode: Whether it is to fall or to rise.

        Returns:
            Lightning's loggers, for the trainer.
        """

    @abstractmethod
    def finish(self, ending: Ending) -> None:
        """Ends."""
