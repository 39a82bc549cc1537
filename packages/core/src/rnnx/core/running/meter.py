"""Throughput, gradient norm and learning rate of a training."""

from __future__ import annotations

import time
from typing import Any, final

import lightning as L
import torch

from rnnx.core.batch import Batch
from rnnx.core.running.gradients import GradientNorm


@final
class Meter(L.Callback):
    """Logs throughput, gradient norm and learning rate.

    Throughput is that of the steps: the time in which a loader makes the batches is left out, and that of
    validations.

    Args:
        every: Steps between two logs, the trainer's own.
        gradient_norm: The task's.
    """

    def __init__(self, every: int, gradient_norm: GradientNorm) -> None:
        self.every, self.gradient_norm = every, gradient_norm
        self.count, self.seconds = 0, 0.0
        self._since, self._step, self._pending, self._mark = 0.0, 0, 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """What was counted so far."""
        return {"count": self.count, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self.count, self.seconds = state_dict["count"], state_dict["seconds"]

    @property
    def rate(self) -> float:
        """Tokens (or whatever the task predicts) a second of training steps."""
        return self.count / self.seconds if self.seconds else 0.0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        self._since, self._step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        count = int(outputs["count"])  # which waits for a GPU
        seconds = time.perf_counter() - self._since
        self.seconds += seconds
        self._mark += seconds
        self.count += count
        self._pending += count
        if trainer.global_step > self._step and trainer.global_step % self.every == 0:
            pl_module.log("tokens_per_second", self._pending / self._mark, prog_bar=True, batch_size=1)
            self._pending, self._mark = 0, 0.0

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Lightning's hook, before gradients are clipped."""
        if (trainer.global_step + 1) % self.every == 0:
            pl_module.log("gradient_norm", self.gradient_norm.of(optimizer), batch_size=1)
            pl_module.log("learning_rate", optimizer.param_groups[0]["lr"], batch_size=1)
