"""The checkpoints of a run's best models."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal, final

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn

from rnnx.core.running.checkpoints import BEST, at_step


@final
class Best(L.Callback):
    """Writes ``best.ckpt`` after each validation that is better than all before, and others if they are kept.

    The file of another one is named by its steps, so that what is written again after an interruption takes
    the place of itself. One whose value is not a number is not among the best.

    Args:
        folder: The run's folder.
        metric: The validation metric that decides.
        mode: Whether it is to fall or to rise.
        save_top_k: As of :class:`~rnnx.core.running.checkpoints.Checkpoint`.
    """

    def __init__(self, folder: Path, metric: str, mode: Literal["min", "max"], save_top_k: int = 1) -> None:
        self.folder, self.metric, self.sign = folder, metric, 1 if mode == "max" else -1
        self.room = {1: 0, -1: sys.maxsize}.get(save_top_k, save_top_k)
        self.best: float | None = None
        self.kept: dict[int, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """The best value so far; and of the models that are kept beside the best, by their steps."""
        return {"best": self.best, "kept": self.kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave, here or in a version that kept the best alone."""
        self.best, self.kept = state_dict["best"], state_dict.get("kept", {})

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        value = float(trainer.callback_metrics[self.metric])
        is_best = self.best is None or math.isnan(self.best) or self.sign * value > self.sign * self.best
        if is_best:
            self.best = value
        dropped = self._rank(trainer.global_step, value)
        if trainer.global_step in self.kept:
            trainer.save_checkpoint(self.folder / at_step(trainer.global_step))
        if is_best:
            trainer.save_checkpoint(self.folder / BEST)
        for step in dropped:
            trainer.strategy.remove_checkpoint(self.folder / at_step(step))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook: without a validation the model at the end is the best there is."""
        if self.best is None:
            trainer.save_checkpoint(self.folder / BEST)

    def _rank(self, step: int, value: float) -> set[int]:
        """Takes a model among those that are kept, if it is one of them; of equals the earlier.

        Returns:
            The steps of those that are not, or no longer.
        """
        known = self.kept if math.isnan(value) else self.kept | {step: value}
        ranked = sorted(known, key=lambda step: (-self.sign * known[step], step))
        self.kept = {step: known[step] for step in ranked[: self.room]}
        return known.keys() - self.kept.keys()
