"""Lightning's own trainer, as the section ``trainer``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, final

from rnnx.core.bounds import Count, Fraction, Limit, NonNegative, Positive, Share
from rnnx.core.data import Split
from rnnx.core.errors import UsageError
from rnnx.core.registry import suggestion
from rnnx.core.running.accelerator import accelerator, accelerators
from rnnx.core.running.quiet import quiet

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.loggers import Logger

TIME: Final = r"\d+:\d\d:\d\d:\d\d"  # as Lightning reads it
LIMITS: Final[Mapping[Split, str]] = {  # of the batches of each split
    "train": "limit_train_batches",
    "valid": "limit_val_batches",
    "test": "limit_test_batches",
}
# How the names of the strategies begin by which each process has a part of the model.
SHARDING: Final = ("fsdp", "deepspeed")


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
        strategy: How processes work together: auto, ddp, or another one that leaves each the whole model.
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
        profiler: Lightning's profiler; what it measured is in the run's folder, fit-profile.txt.
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
        """Sees to it that there is something to train, and that the machine can do what is asked for.

        Lightning would end in the middle of the run, or do something else in silence. What it refuses by
        itself is found by making its trainer, of which nothing is kept.

        Raises:
            UsageError: there is not, or it cannot.
        """
        problems = [*self._lengths(), *self._places()]
        if problems:
            raise UsageError(*problems)
        self._check_precision()
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        tried = Trainer(**self._arguments | {"deterministic": None})  # which it sets for the whole process
        try:
            with quiet(), warnings.catch_warnings(action="ignore"):
                tried.build(Path(), [], [])
        except (MisconfigurationException, ImportError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(f"trainer: {' '.join(str(error).split())}") from error

    def check_batches(self, batches: Mapping[Split, int]) -> None:
        """Sees to it that the options that count batches suit the data.

        Args:
            batches: How many each split has that is gone through.

        Raises:
            UsageError: a fraction of the batches is less than one; or a validation would come after more
                batches than an epoch has.

        Example:
            >>> try:
            ...     Trainer(val_check_interval=1000).check_batches({"train": 40, "valid": 5})
            ... except UsageError as error:
            ...     print(str(error).partition(";")[0])
            trainer.val_check_interval: expected at most the 40 batches of a training epoch, got 1000
        """
        problems = []
        for split, count in batches.items():
            limit = self._arguments[LIMITS[split]]
            if isinstance(limit, float) and 0 < limit * count < 1:
                problems.append(
                    f"trainer.{LIMITS[split]}: expected a number of batches, or a fraction that leaves at "
                    f"least one of {count}, got {limit}"
                )
        validated = batches.get("valid") and self._arguments["limit_val_batches"]
        if validated and not problems:
            limit, interval = self._arguments["limit_train_batches"], self._arguments["val_check_interval"]
            train = batches["train"]
            epoch = min(limit, train) if isinstance(limit, int) else int(limit * train)
            if isinstance(interval, int) and interval > epoch:
                problems.append(
                    f"trainer.val_check_interval: expected at most the {epoch} batches of a training epoch, "
                    f"got {interval}; 1.0 validates after each epoch"
                )
        if problems:
            raise UsageError(*problems)

    def _lengths(self) -> list[str]:
        """What is wrong with how long it trains."""
        how = {
            "max_epochs": "expected at least 1, or -1 for no limit",
            "max_steps": "expected at least 1, or -1 for no limit",
            "limit_train_batches": "expected at least one batch, or a fraction above 0",
        }
        problems = [
            f"trainer.{name}: {expected}, got {self._arguments[name]}, which trains nothing; rnnx run "
            "--dry-run shows a model without training it"
            for name, expected in how.items()
            if self._arguments[name] == 0
        ]
        if self._arguments["max_epochs"] == -1 == self._arguments["max_steps"]:
            problems.append(
                "trainer.max_epochs: expected a limit of epochs or of steps (trainer.max_steps), by which "
                "the schedule of the learning rate is laid out, got neither; with trainer.max_time set a "
                "large one"
            )
        most = self._arguments["max_time"]
        if most is not None and not (re.fullmatch(TIME, most.strip()) and re.search("[1-9]", most)):
            problems.append(
                "trainer.max_time: expected more than no time, as DD:HH:MM:SS, such as 00:01:30:00 for 90 "
                f"minutes, got {most!r}"
            )
        return problems

    def _places(self) -> list[str]:
        """What is wrong with where it trains."""
        from lightning.fabric.strategies import STRATEGY_REGISTRY
        from lightning.pytorch.strategies import StrategyRegistry

        problems = []
        asked, there = accelerator(self._arguments["accelerator"]), accelerators()
        if asked not in there:
            problems.append(
                f"trainer.accelerator: expected one that this machine has ({', '.join(there)}), got {asked}; "
                "auto takes the best of them"
            )
        strategy = self._arguments["strategy"]
        known = {"auto", *StrategyRegistry.available_strategies()}
        known &= {"auto", *STRATEGY_REGISTRY.available_strategies()}
        whole = {name for name in known if not name.startswith(SHARDING)}
        if strategy in known - whole:
            problems.append(
                "trainer.strategy: expected one that leaves each process the whole model, which the norm of "
                f"its gradients and its checkpoints are of, such as ddp, got {strategy}"
            )
        elif strategy not in known:
            problems.append(
                "trainer.strategy: expected auto or a strategy of Lightning's, such as ddp, got "
                f"{strategy!r}{suggestion(strategy, sorted(whole))}"
            )
        return problems

    def _check_precision(self) -> None:
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
        from lightning.pytorch.profilers import AdvancedProfiler, SimpleProfiler

        from rnnx.core.running.checkpoints import WholeFiles

        profilers = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}
        profiler = self._arguments["profiler"]
        arguments = self._arguments | {
            "accelerator": accelerator(self._arguments["accelerator"]),
            "profiler": profiler and profilers[profiler](root, "profile"),  # else it says it to nobody
        }
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
