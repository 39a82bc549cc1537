"""Lightning's own trainer, as the section ``trainer``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from rnnx.core.accelerator import accelerator
from rnnx.core.bounds import Count, Fraction, Limit, NonNegative, Positive, Share
from rnnx.core.errors import UsageError

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.loggers import Logger


@final
class Trainer:
    """The arguments of ``lightning.Trainer``, with its names and meanings.

    Args:
        max_epochs: Epochs at most; -1 for no limit.
        max_steps: Optimiser steps at most; -1 for no limit.
        max_time: Time at most, as DD:HH:MM:SS.
        accelerator: Where to train; auto is a GPU of CUDA's where there is one, and else the CPU.
        devices: How many devices, or processes on a CPU; auto for all.
        num_nodes: How many machines.
        strategy: How processes work together, such as ddp.
        precision: Floating-point precision.
        gradient_clip_val: Gradients are clipped at this; 0 for no clipping.
        gradient_clip_algorithm: Whether the norm of all gradients or each value is clipped.
        accumulate_grad_batches: Batches of a step: its loss is the mean over all that they predict.
        limit_train_batches: Batches a training epoch, a number or a fraction.
        limit_val_batches: Batches a validation, a number or a fraction.
        limit_test_batches: Batches a test, a number or a fraction.
        val_check_interval: When to validate within an epoch, after a number of batches or a fraction.
        check_val_every_n_epoch: Epochs between validations.
        log_every_n_steps: Steps between two lines of metrics.
        deterministic: Whether only deterministic algorithms are used; warn where there is none.
        detect_anomaly: Whether autograd looks for NaN.
        profiler: Lightning's profiler.
    """

    def __init__(
        self,
        *,
        max_epochs: Limit = 10,
        max_steps: Limit = -1,
        max_time: str | None = None,
        accelerator: Literal["auto", "cpu", "gpu", "cuda", "tpu"] = "auto",
        devices: Positive | Literal["auto"] = 1,
        num_nodes: Positive = 1,
        strategy: str = "auto",
        precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"] = "32-true",
        gradient_clip_val: NonNegative = 1.0,
        gradient_clip_algorithm: Literal["norm", "value"] = "norm",
        accumulate_grad_batches: Positive = 1,
        limit_train_batches: Count | Share = 1.0,
        limit_val_batches: Count | Share = 1.0,
        limit_test_batches: Count | Share = 1.0,
        val_check_interval: Positive | Fraction = 1.0,
        check_val_every_n_epoch: Positive = 1,
        log_every_n_steps: Positive = 10,
        deterministic: bool | Literal["warn"] = "warn",
        detect_anomaly: bool = False,
        profiler: Literal["simple", "advanced"] | None = None,
    ) -> None:
        self._arguments = {name: value for name, value in locals().items() if name != "self"}

    def check(self) -> None:
        """Sees to it that the machine can do what is asked for; Lightning would do something else in silence.

        Raises:
            UsageError: it cannot.
        """
        import torch

        precision, chosen = self._arguments["precision"], accelerator(self._arguments["accelerator"])
        if precision == "16-mixed" and chosen == "cpu":
            raise UsageError(
                "trainer.precision: expected one that a CPU has, got 16-mixed, which needs a GPU; bf16-mixed "
                "and 32-true work here"
            )
        on_gpu = chosen in ("gpu", "cuda") and torch.cuda.is_available()
        if precision == "bf16-mixed" and on_gpu and not torch.cuda.is_bf16_supported(False):
            raise UsageError(
                f"trainer.precision: expected one that this GPU has, got {precision}; 16-mixed and 32-true "
                "work here"
            )

    def build(self, root: Path, loggers: Sequence[Logger], callbacks: Sequence[L.Callback]) -> L.Trainer:
        """The trainer of a run.

        Args:
            root: The run's folder.
            loggers: Where metrics go.
            callbacks: What else happens.
        """
        import lightning as L

        from rnnx.core.checkpoints import WholeFiles

        arguments = self._arguments | {"accelerator": accelerator(self._arguments["accelerator"])}
        return L.Trainer(
            **arguments,
            default_root_dir=root,
            logger=list(loggers),
            callbacks=list(callbacks),
            plugins=[WholeFiles()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
