"""A line after each validation, where nobody watches a bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, final

import lightning as L
import torch

from rnnx.core.batch import Batch

SAID: Final = 4  # metrics of a validation


@final
class Lines(L.Callback):
    """Says a line after each validation: the losses, the metric that is watched, and a few others.

    Between two of them it tells how far the epoch is, after so many seconds without a line. The loss of the
    training is the mean over what has been predicted in the epoch so far, batches left out whose loss is no
    number.

    Args:
        say: Gets the lines.
        metric: The validation metric that is watched, such as ``valid/bleu``.
        pause: Seconds without a line after which one is said within an epoch; infinite for none.
    """

    def __init__(self, say: Callable[[str], None], metric: str, pause: float) -> None:
        self.say, self.metric, self.pause = say, metric, pause
        self.start = self._said = time.perf_counter()
        self._total = self._count = torch.zeros((), dtype=torch.float64)

    def state_dict(self) -> dict[str, Any]:
        """The sums of the epoch so far."""
        return {"total": float(self._total), "count": float(self._count)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self._total, self._count = (
            torch.tensor(state_dict[name], dtype=torch.float64) for name in ("total", "count")
        )

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        if batch_idx == 0:
            self._total = self._count = torch.zeros((), dtype=torch.float64)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        total, count = outputs["total"], outputs["count"]
        finite = total.isfinite()
        self._total = self._total.to(total.device, non_blocking=True) + total.where(finite, 0)
        self._count = self._count.to(count.device, non_blocking=True) + count.where(finite, 0)
        if time.perf_counter() - self._said >= self.pause:
            share = (batch_idx + 1) / trainer.num_training_batches
            self._line(trainer, f", {share:.0%}", self._train_loss)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != "fit":
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        valid = [name for name in metrics if name.startswith("valid/")]
        said = sorted(valid, key=lambda name: name not in ("valid/loss", self.metric))[:SAID]
        shown = [f"{name.replace('/', ' ')} {metrics[name]:.4g}" for name in valid if name in said]
        self._line(trainer, "", [*self._train_loss, *shown])

    @property
    def _train_loss(self) -> list[str]:
        count = float(self._count)
        return [f"train loss {float(self._total) / count:.4g}"] if count else []

    def _line(self, trainer: L.Trainer, share: str, shown: Sequence[str]) -> None:
        self._said = time.perf_counter()
        seconds = self._said - self.start
        self.say(f"epoch {trainer.current_epoch + 1}{share} ({seconds:.0f} s): {', '.join(shown)}")
