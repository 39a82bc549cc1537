"""The progress bar of a training."""

from __future__ import annotations

import time
from typing import Any, final

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar

from rnnx.core.batch import Batch

PAUSE = 0.5


@final
class ProgressBar(TQDMProgressBar):
    """Lightning's, which draws itself anew after each step, and so takes a share of short ones.

    Args:
        pause: Seconds in which it is not drawn anew, but for the last step of an epoch.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        super().__init__()
        self.pause = pause
        self._drawn = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        now = time.monotonic()
        if now - self._drawn >= self.pause or trainer.is_last_batch:
            self._drawn = now
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
