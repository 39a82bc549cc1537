"""How far a training is, for who watches: a bar for the whole run, and a line for each epoch."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast, final

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from rnnx.core.batch import Batch

if TYPE_CHECKING:
    from rnnx.core.task import Task

PAUSE = 0.5


def is_watched() -> bool:
    """Whether somebody sees what is written while it is written: on a terminal, or in a notebook."""
    return _in_notebook() or (sys.stdout.isatty() and sys.stderr.isatty())


@final
class ProgressBar(L.Callback):
    """A bar with the epoch, the share of the run that is done, the time that is left of it, and the loss.

    What is said stays above the bar, which is gone at the end. The time is that of all steps to come, with
    their validations, if they take as long as those so far; a run that is stopped early takes less. In a
    notebook there is no bar.

    Args:
        pause: Seconds in which it is not drawn anew, but for the last step of an epoch.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        notebook = _in_notebook()
        self.console = Console(
            file=sys.stdout if notebook else sys.stderr,
            force_jupyter=False,
            markup=False,
            emoji=False,
            highlight=False,
        )
        self.pause = pause
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24, complete_style="cyan"),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[measured]}", style="dim"),
            console=self.console,
            auto_refresh=False,  # a thread would draw between a fork and its child's first breath
            transient=True,
            disable=notebook or not self.console.is_terminal,
        )
        self._task = self._bar.add_task("", visible=False, left="", measured="")
        self._drawn = self._began = time.monotonic()
        self._first = 0

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, soft_wrap=True)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        self._began, self._first = time.monotonic(), trainer.global_step
        self._begin(_epoch(trainer), int(trainer.estimated_stepping_batches), trainer.global_step)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        if self._is_due() or trainer.is_last_batch:
            self._draw(
                _epoch(trainer),
                completed=trainer.global_step,
                left=self._left(trainer),
                measured=_measured(trainer),
            )

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != "fit":
            self._begin("validation", sum(map(int, trainer.num_val_batches)))

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Lightning's hook."""
        if not self._is_due():
            return
        if trainer.state.fn == "fit":
            (batches,) = trainer.num_val_batches
            self._draw(f"{_epoch(trainer)}, validation {batch_idx + 1} of {batches}")
        else:
            self._draw("validation", completed=batch_idx + 1)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        self._begin("test", sum(map(int, trainer.num_test_batches)))

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Lightning's hook."""
        if self._is_due():
            self._draw("test", completed=batch_idx + 1)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Lightning's hook."""
        self._bar.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Lightning's hook."""
        self._bar.stop()

    def _begin(self, what: str, total: int, completed: int = 0) -> None:
        self._bar.reset(
            self._task, total=total, completed=completed, visible=True, description=what, left="", measured=""
        )
        self._bar.start()

    def _draw(self, what: str, **fields: Any) -> None:
        self._drawn = time.monotonic()
        self._bar.update(self._task, description=what, refresh=True, **fields)

    def _is_due(self) -> bool:
        return time.monotonic() - self._drawn >= self.pause

    def _left(self, trainer: L.Trainer) -> str:
        """The time that is left, as far as can be told."""
        steps, total = trainer.global_step - self._first, int(trainer.estimated_stepping_batches)
        if not steps:
            return ""
        seconds = (time.monotonic() - self._began) / steps * (total - trainer.global_step)
        return f"{timedelta(seconds=round(seconds))} left"


def _in_notebook() -> bool:
    return Console().is_jupyter


def _epoch(trainer: L.Trainer) -> str:
    limit = trainer.max_epochs or -1
    return f"epoch {trainer.current_epoch + 1}" + (f" of {limit}" if limit > 0 else "")


def _measured(trainer: L.Trainer) -> str:
    """The loss, and how fast it goes, where they have been logged."""
    found = trainer.progress_bar_metrics
    loss = [f"loss {found['train/loss']:.4g}"] if "train/loss" in found else []
    counted = cast("Task", trainer.lightning_module).counted
    rate = [f"{found['tokens_per_second']:,.0f} {counted}/s"] if "tokens_per_second" in found else []
    return "  ".join([*loss, *rate])
