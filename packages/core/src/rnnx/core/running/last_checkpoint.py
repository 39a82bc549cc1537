"""The last checkpoint of a run, from which it goes on as if it had never been stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn

from rnnx.core import processes
from rnnx.core.batch import Batch
from rnnx.core.errors import Interrupted
from rnnx.core.running import history, randomness
from rnnx.core.running.checkpoints import LAST, PREVIOUS, Checkpoint
from rnnx.core.running.interruption import Interruption
from rnnx.core.running.place import Place
from rnnx.core.task import Task

# between two steps, before a validation, within an epoch, after it
Moment: TypeAlias = Literal["step", "validation", "stop", "end"]


@final
class Last(L.Callback):
    """Writes ``last.ckpt``: every so often between two steps, before each validation, and at the end.

    From it a run goes on exactly. It has the parameters, optimiser, schedule, callbacks and loops, as
    Lightning keeps them; of each process the place in the data, the random numbers and what the task carries
    from batch to batch; and the length of the history. The checkpoint before it is kept as ``previous.ckpt``.
    Between batches whose gradients are added up there is none, unless the training ends there; what they have
    added up is then lost.

    Args:
        folder: The run's folder.
        config: The configuration, plain data.
        place: The training batches.
        interruption: Signals; one that waits is answered with a checkpoint, and then raised.
        plan: When.

    Attributes:
        resumed_at: The step from which the training goes on; None for one that begins.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        place: Place,
        interruption: Interruption,
        plan: Checkpoint,
    ) -> None:
        self.folder, self.config, self.place = folder, config, place
        self.interruption, self.plan = interruption, plan
        self.seconds = 0.0
        self._since = time.monotonic()
        self._saved_step, self._saved_time = 0, time.monotonic()
        self._moment: Moment = "step"
        self._resumed: dict[str, Any] | None = None
        self.resumed_at: int | None = None
        self._max_steps = -1
        self._after: dict[str, Any] = {}  # the random numbers after the last batch, and its validation

    @property
    def elapsed(self) -> float:
        """Seconds since the training began, those before an interruption included."""
        return self.seconds + time.monotonic() - self._since

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        self.interruption.install()
        self.interruption.patient = True
        self._since = self._saved_time = time.monotonic()
        self._saved_step = trainer.global_step
        if self._resumed is not None:
            if self._resumed["moment"] == "end":
                _begin(trainer)
            randomness.restore(self._mine(self._resumed["random"]))
            trainer.callback_metrics.update(
                {name: torch.tensor(value) for name, value in self._resumed["metrics"].items()}
            )
            carried = self._mine(self._resumed["carried"]).items()
            _task(pl_module).carried = {
                name: tuple(tensor.to(pl_module.device) for tensor in state) for name, state in carried
            }

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook: between two steps."""
        self._take_up(trainer)
        if batch_idx % trainer.accumulate_grad_batches:
            return
        signum = processes.largest(self.interruption.received or 0)
        if signum or processes.largest(int(self._is_due(trainer))):
            self._save(trainer, "step")
        if signum:
            raise Interrupted(signum)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        if self._resumed is not None:
            randomness.restore(self._mine(self._resumed["random"]))
            trainer.fit_loop.epoch_loop.val_loop.batch_progress.reset()
            trainer.fit_loop.epoch_loop.max_steps = self._max_steps
        self._take_up(trainer)
        if not trainer.fit_loop.epoch_loop._should_accumulate():
            self._save(trainer, "validation")
            signum = processes.largest(self.interruption.received or 0)
            if signum:
                raise Interrupted(signum)
        self.interruption.patient = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        self.interruption.patient = trainer.state.fn == TrainerFn.FITTING
        taken, every = trainer.fit_loop.epoch_loop.batch_progress.current.completed, trainer.val_check_batch
        if not trainer.should_stop or (every is not None and taken % every == 0):
            self._after = randomness.capture()  # else it was made because the training ends

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        self._after = randomness.capture()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook, which it calls in the middle of an epoch too, if the training stops there."""
        loop = trainer.fit_loop.epoch_loop
        if not loop._num_ready_batches_reached():
            self._save(trainer, "stop")

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning's hook."""
        if self._moment != "stop":
            self._save(trainer, "end")
        self.interruption.patient = False

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds to Lightning's what it leaves out."""
        epoch_loop = trainer.fit_loop.epoch_loop
        carried = {
            name: tuple(tensor.cpu() for tensor in state) for name, state in _task(pl_module).carried.items()
        }
        random = {"step": self.place.before, "stop": self._after}.get(self._moment) or randomness.capture()
        checkpoint["rnnx"] = {
            "version": version("rnnx-core"),
            "config": self.config,
            "moment": self._moment,
            "steps": epoch_loop._batches_that_stepped,
            "epoch": self.place.epoch,
            "taken": epoch_loop.batch_progress.current.completed,
            "start": processes.gather(self.place.start),
            "known": processes.gather(self.place.known),
            "random": processes.gather(random),
            "carried": processes.gather(carried),
            "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
            "rows": history.settle(self.folder),
            "seconds": self.elapsed,
        }
        loops = checkpoint["loops"]["fit_loop"]
        if self._moment == "validation":  # as if stopped in its first batch, so that Lightning repeats it
            progress = loops["epoch_loop.val_loop.batch_progress"]
            progress["current"] = dict.fromkeys(progress["current"], 0)
            progress["total"] = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
        if self._moment == "stop":  # as if the next batch were there, so that the epoch goes on with it
            for counted in ("current", "total"):
                loops["epoch_progress"][counted]["processed"] -= 1
                loops["epoch_loop.batch_progress"][counted]["ready"] += 1

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes what :meth:`on_save_checkpoint` added."""
        self._resumed = saved = checkpoint["rnnx"]
        self.resumed_at = checkpoint["global_step"]
        self.seconds = saved["seconds"]
        if saved["moment"] != "end":
            # at an epoch's first batch Lightning makes an iterator of the validation data, which draws a seed
            before = None if saved["moment"] == "validation" else self._mine(saved["random"])
            start, known = self._mine(saved["start"]), self._mine(saved["known"])
            self.place.resume(saved["epoch"], start, saved["taken"], before, known)
        loop = trainer.fit_loop.epoch_loop
        self._max_steps = loop.max_steps
        if saved["moment"] == "validation" and checkpoint["global_step"] == loop.max_steps:
            loop.max_steps += 1  # until that validation begins, for which Lightning would not go on
        if saved["moment"] in ("stop", "end") and all(
            saved["config"][section] == self.config[section] for section in ("trainer", "stopping")
        ):
            trainer.should_stop = True

    def _is_due(self, trainer: L.Trainer) -> bool:
        steps = trainer.global_step - self._saved_step
        minutes = (time.monotonic() - self._saved_time) / 60
        return bool(
            (self.plan.every_n_train_steps and steps >= self.plan.every_n_train_steps)
            or (self.plan.every_n_minutes and steps and minutes >= self.plan.every_n_minutes)
        )

    def _save(self, trainer: L.Trainer, moment: Moment) -> None:
        self._moment = moment
        trainer.save_checkpoint(self.folder / LAST, storage_options=self.folder / PREVIOUS)
        self._saved_step, self._saved_time = trainer.global_step, time.monotonic()

    def _take_up(self, trainer: L.Trainer) -> None:
        """Sets right, once, what Lightning's loops do otherwise after a checkpoint than without one."""
        if self._resumed is not None:
            trainer.fit_loop.epoch_loop._batches_that_stepped = self._resumed["steps"]
            _begin(trainer)
            self._resumed = None

    @staticmethod
    def _mine(values: list[Any]) -> Any:
        return values[processes.rank_and_world_size()[0]]


def _begin(trainer: L.Trainer) -> None:
    """Lets Lightning's loops begin what comes, which under ``max_steps`` they take for a repetition."""
    loop = trainer.fit_loop
    for one in (loop, loop.epoch_loop, loop.epoch_loop.val_loop):
        one._restarting = False
        one.reset_restart_stage()


def _task(module: L.LightningModule) -> Task:
    """What Lightning calls by a wider name."""
    assert isinstance(module, Task)
    return module
