"""What ends the training before its last epoch: no more progress, or numbers that are none."""

from __future__ import annotations

from typing import Any, Literal, final

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from rnnx.core import processes
from rnnx.core.batch import Batch
from rnnx.core.bounds import Count, NonNegative
from rnnx.core.errors import RunError
from rnnx.core.running.gradients import GradientNorm
from rnnx.core.state import State
from rnnx.core.task import Task

SHOWN = 16  # positions of a batch's examples that an error names


@final
class Stopping:
    """Early stopping (Prechelt 1998), and the watch over numbers that are none.

    Args:
        patience: Validations in a row without a better value of the metric that chooses the best model, after
            which the training ends; 0 to go on to the last epoch.
        min_delta: By how much a value must be better to count.
        non_finite: What happens at a loss or a gradient that is infinite or not a number: the run stops, or
            the step is left out.
    """

    def __init__(
        self,
        *,
        patience: Count = 0,
        min_delta: NonNegative = 0.0,
        non_finite: Literal["stop", "skip"] = "stop",
    ) -> None:
        self.patience, self.min_delta, self.non_finite = patience, min_delta, non_finite

    def callbacks(
        self, metric: str, mode: Literal["min", "max"], gradient_norm: GradientNorm
    ) -> list[L.Callback]:
        """Those that see to it.

        Args:
            metric: The metric that chooses the best model.
            mode: Whether it is to fall or to rise.
            gradient_norm: The task's.
        """
        callbacks: list[L.Callback] = [NonFinite(gradient_norm, skip=self.non_finite == "skip")]
        if self.patience:
            callbacks.append(
                Patience(
                    metric,
                    self.min_delta,
                    self.patience,
                    mode=mode,
                    check_finite=False,
                    check_on_train_epoch_end=False,
                )
            )
        return callbacks


@final
class Patience(EarlyStopping):
    """Lightning's early stopping, which goes on with the patience that is said now, not the checkpoint's."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """How long it has waited, and for what."""
        super().load_state_dict(state_dict | {"patience": self.patience})


@final
class NonFinite(L.Callback):
    """Watches for a loss or a gradient that is infinite or not a number, or gradients whose norm is.

    In 16-bit mixed precision a gradient may be infinite, and the scaler leaves that step out by itself: there
    only the loss is watched.

    Args:
        gradient_norm: The task's.
        skip: Whether such a step is left out, and counted as ``skipped_steps``; otherwise the run stops. What
            the task carries on and is not finite is then forgotten, or no later step would be finite.
    """

    def __init__(self, gradient_norm: GradientNorm, *, skip: bool) -> None:
        self.gradient_norm, self.skip = gradient_norm, skip
        self.skipped = 0
        self._examples: list[int] = []
        self._loss = torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        """How many steps were left out."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self.skipped = state_dict["skipped"]

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._examples, self._loss = [], torch.zeros((), device=pl_module.device)
        self._examples += batch.index.tolist()

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Lightning's hook."""
        self._loss = self._loss + loss.detach()

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Lightning's hook, before gradients are clipped.

        Raises:
            RunError: a number is not finite, and the step is not to be left out.
        """
        precision = trainer.precision_plugin
        scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
        norm = self._loss if scaled else self.gradient_norm.of(optimizer)
        (found,) = processes.summed(norm + self._loss)  # so that all processes go the same way
        if bool(torch.isfinite(found)):
            return
        if self.skip:
            optimizer.zero_grad(set_to_none=True)
            self.skipped += 1
            assert isinstance(pl_module, Task)
            pl_module.carried = {name: state for name, state in pl_module.carried.items() if _is_whole(state)}
            pl_module.log("skipped_steps", float(self.skipped), batch_size=1)
            return
        raise RunError(self._report(trainer, pl_module))

    def _report(self, trainer: L.Trainer, model: nn.Module) -> str:
        """Where it is, and what to do."""
        losses = processes.gather((float(self._loss), self._examples))
        loss, examples = next((pair for pair in losses if not _is_finite(pair[0])), losses[0])
        listed = ", ".join(map(str, examples[:SHOWN])) + (", ..." if len(examples) > SHOWN else "")
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        norms = {name: float(gradient.double().norm()) for name, gradient in gradients.items()}
        bad = [name for name, gradient in gradients.items() if not bool(gradient.isfinite().all())]
        found = f"{len(bad)} of {len(norms)} gradients are not finite"
        if _is_finite(loss) and not bad:
            found = f"all {len(norms)} gradients are finite, but their norm is too large a number"
        largest = max(norms, key=lambda name: (name in bad, norms[name]))
        return (
            f"step {trainer.global_step + 1} (epoch {trainer.current_epoch + 1}): the loss is {loss:.4g} and "
            f"{found}, the largest being that of {largest}; the batch holds the training examples {listed}; "
            "try a lower optimizer.lr or trainer.gradient_clip_val, or leave such steps out by "
            "stopping.non_finite=skip"
        )


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")


def _is_whole(state: State) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in state)
