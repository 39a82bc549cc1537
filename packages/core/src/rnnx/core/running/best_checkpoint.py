"""The checkpoint of a run's best model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, final

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn

from rnnx.core.running.checkpoints import BEST


@final
class Best(L.Callback):
    """Writes ``best.ckpt`` after each validation that is better than all before.

    Args:
        folder: The run's folder.
        metric: The validation metric that decides.
        mode: Whether it is to fall or to rise.
    """

    def __init__(self, folder: Path, metric: str, mode: Literal["min", "max"]) -> None:
        self.path, self.metric, self.sign = folder / BEST, metric, 1 if mode == "max" else -1
        self.best: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self.best = state_dict["best"]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        value = float(trainer.callback_metrics[self.metric])
        if self.best is None or math.isnan(self.best) or self.sign * value > self.sign * self.best:
            self.best = value
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook: without a validation the model at the end is the best there is."""
        if self.best is None:
            trainer.save_checkpoint(self.path)
