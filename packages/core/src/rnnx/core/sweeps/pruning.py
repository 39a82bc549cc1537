"""The end of a trial that does worse than others did by then."""

from __future__ import annotations

from typing import final

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn
from optuna import Trial, TrialPruned


@final
class Pruning(L.Callback):
    """Reports each validation of a run to its trial, and stops the run if the study's pruner says so.

    Args:
        trial: Optuna's.
        metric: What it reports, such as ``valid/loss``.

    Raises:
        TrialPruned: out of the training, after a validation.
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial, self.metric = trial, metric

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        assert trainer.val_check_batch is not None
        batches = trainer.fit_loop.total_batch_idx + 1
        validations = int(batches // trainer.val_check_batch)  # a resumed run goes on counting
        self.trial.report(float(trainer.callback_metrics[self.metric]), validations)
        if self.trial.should_prune():
            raise TrialPruned(f"pruned after validation {validations}")
