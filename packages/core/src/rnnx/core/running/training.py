"""A model trained in the folder of its run, tested at its best, and shown."""

from __future__ import annotations

import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import lightning as L
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from rnnx.core import gradient_flow, plots, processes
from rnnx.core.batch import Batch
from rnnx.core.config import Config
from rnnx.core.data import Data, Loader, Split
from rnnx.core.errors import Interrupted, RunWarning, UsageError
from rnnx.core.gradient_flow import Flow
from rnnx.core.registry import suggestion
from rnnx.core.running import randomness
from rnnx.core.running.best_checkpoint import Best
from rnnx.core.running.checkpoints import BEST, Checkpoint, read_checkpoint
from rnnx.core.running.ending import Ending
from rnnx.core.running.history import METRICS
from rnnx.core.running.interruption import Interruption, requeue
from rnnx.core.running.last_checkpoint import Last
from rnnx.core.running.lines import Lines
from rnnx.core.running.meter import Meter
from rnnx.core.running.place import Place
from rnnx.core.running.progress import ProgressBar, is_watched
from rnnx.core.running.result import Result, values_of
from rnnx.core.running.stopping import Stopping
from rnnx.core.running.trainer import Trainer
from rnnx.core.task import Task
from rnnx.core.tracking.tracker import Tracker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 5
MINUTE = 60.0  # seconds after which a line is said where no bar is drawn


@final
@dataclass(frozen=True)
class Training:
    """How a run's model is trained.

    Attributes:
        folder: The run's folder.
        config: Its configuration.
        command: What the user typed, for ``result.json``.
        progress: Whether it is shown how far it is; None for where somebody watches.
        say: Gets a line after each validation and each minute, where no progress is shown.
        callbacks: What else happens in the training.
        interruption: What may stop it.
        undo: Makes the folder what it was, where the training cannot begin.
    """

    folder: Path
    config: Config
    command: str
    progress: bool | None
    say: Callable[[str], None]
    callbacks: Sequence[L.Callback]
    interruption: Interruption
    undo: Callable[[], object]

    def carry_out(self, data: Data, task: Task, checkpoint: Path | None = None) -> Result:
        """Trains, tests the best model, and writes down what came of it.

        Args:
            data: Read.
            task: The new model; it is the best one at the end.
            checkpoint: From which the training goes on; None for one that begins.

        Raises:
            UsageError: the run cannot be tracked, or shared by the processes, the trainer's options do not
                suit the number of batches, or the task has no such metric as is to be watched; the folder is
                then what it was.
            Interrupted: a signal came.
        """
        with _going_on_later(self.folder):
            return self._carry_out(data, task, checkpoint)

    def _carry_out(self, data: Data, task: Task, checkpoint: Path | None) -> Result:
        plan, tracker = Trainer(**self.config.trainer), self.config.logger.build()
        place, valid_loader, test_loader, loggers = self._begin(data, task, plan, tracker)
        meter = Meter(self.config.trainer["log_every_n_steps"], task.gradient_norm)
        last = Last(
            self.folder,
            self.config.to_plain(),
            place,
            self.interruption,
            Checkpoint(**self.config.checkpoint),
        )
        shown = is_watched() if self.progress is None else self.progress
        bars = [ProgressBar()] if shown and processes.leads() else []
        trainer = plan.build(self.folder, loggers, self._callbacks(task, meter, last, bars))
        trainer.precision_plugin.convert_module(task)  # before Lightning reads a checkpoint into it
        trainer.fit(task, place, valid_loader, ckpt_path=checkpoint)
        if last.resumed_at == trainer.global_step and processes.leads():
            self._say_nothing_was_trained()
        fitted = last.elapsed
        best, step = processes.from_leader(lambda: _best(self.folder))
        task.load_state_dict(best)
        untracked = plan.build(self.folder, [], bars)
        valid = metrics_of(untracked.validate(task, valid_loader, verbose=False))
        start = time.perf_counter()
        test = metrics_of(trainer.test(task, test_loader, verbose=False))
        values = values_of(
            {"test": test, "valid": valid},
            {"fit": fitted, "test": time.perf_counter() - start},
            {"train_tokens_per_second": meter.rate},
            count_parameters(task),
            self.config.seed,
            self.command,
        )
        if not processes.leads():
            return Result(self.folder, values, [], [])
        return self._write_down(self._ending(data, task, values, step), tracker)

    def _begin(
        self, data: Data, task: Task, plan: Trainer, tracker: Tracker
    ) -> tuple[Place, Loader, Loader, list[Logger]]:
        """The batches of the three splits, and Lightning's loggers of a tracking that has begun."""
        config, metric = self.config.to_plain(), f"valid/{task.watched}"
        with processes.together():
            try:
                place, valid, test = Place(data.loader("train")), data.loader("valid"), data.loader("test")
                plan.check_batches({"train": len(place), "valid": len(valid), "test": len(test)})
                _require_watched(task, valid)
                loggers = (
                    tracker.begin(self.folder, config, metric, task.watched_mode) if processes.leads() else []
                )
            except UsageError:
                if processes.leads():
                    self.undo()
                raise
        return place, valid, test, loggers

    def _callbacks(
        self, task: Task, meter: Meter, last: Last, bars: Sequence[ProgressBar]
    ) -> list[L.Callback]:
        """What happens in the training; the bar, where there is one, comes last."""
        metric = f"valid/{task.watched}"
        say, pause = (bars[0].say, math.inf) if bars else (self.say, MINUTE)
        return [
            meter,
            Lines(rank_zero_only(say), metric, pause),
            Best(self.folder, metric, task.watched_mode, self.config.checkpoint["save_top_k"]),
            last,
            *Stopping(**self.config.stopping).callbacks(metric, task.watched_mode, task.gradient_norm),
            *self.callbacks,
            *bars,
        ]

    def _say_nothing_was_trained(self) -> None:
        limits = ((name, self.config.trainer[name]) for name in ("max_epochs", "max_steps", "max_time"))
        set_to = ", ".join(f"trainer.{name}={value}" for name, value in limits if value not in (None, -1))
        self.say(f"no step was trained: the training had ended ({set_to}), and its model is tested again")

    def _write_down(self, ending: Ending, tracker: Tracker) -> Result:
        """Writes what came of the training in the folder, and only then to where it is tracked."""
        result = Result(self.folder, ending.values, ending.samples, self._drawn(ending.figures))
        result.write()
        try:
            tracker.finish(ending)
        except Exception as error:  # whatever tracking may do at the end, the run stands
            self.say(f"the tracking of the run did not end well, but its folder is whole: {error}")
        return result

    def _ending(self, data: Data, task: Task, values: Mapping[str, Any], step: int) -> Ending:
        """Samples and pictures of what the model makes of test examples, and of how it came to be."""
        task.eval()
        examples = [batch.to(task.device) for batch in _spread(data, "test", SAMPLES)]
        with torch.no_grad():
            samples = [row for batch in examples for row in task.samples(batch)]
            figures = task.figures(examples[len(examples) // 2])
        if (self.folder / METRICS).exists():
            figures["curves"] = plots.curves(self.folder / METRICS)
        flows = _flows(data, task)
        if flows:
            gradient_flow.keep(flows, self.folder)
            figures["gradient_flow"] = plots.gradient_flow(flows)
        return Ending(values, step, samples, figures, flows)

    def _drawn(self, figures: Mapping[str, Figure]) -> list[Path]:
        paths = [self.folder / "plots" / f"{name}.png" for name in figures]
        for path, figure in zip(paths, figures.values(), strict=True):
            plots.save(figure, path)
        return paths


def _best(folder: Path) -> tuple[dict[str, Tensor], int]:
    """The weights of a run's best model, and the step after which they were kept."""
    checkpoint = read_checkpoint(folder / BEST)
    return checkpoint["state_dict"], checkpoint["global_step"] - 1


def _require_watched(task: Task, batches: Loader) -> None:
    """Refuses a metric that the task does not have, before the first epoch; asks the first batch of it."""
    if task.watched in ("loss", task.monitor):
        return
    before = randomness.capture()
    names = task.measures(next(iter(batches)))
    randomness.restore(before)
    if task.watched not in names:
        bare = task.watched.rpartition("/")[2]
        raise UsageError(
            f"checkpoint.monitor: expected a metric of the validation, one of {', '.join(names)}, got "
            f"{task.watched!r}{suggestion(bare, names)}"
        )


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model has, frozen ones too; what is shared counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def metrics_of(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The metrics that Lightning found, without their split; none where no batch was looked at.

    Example:
        >>> metrics_of([{"test/loss": 1.5}])
        {'loss': 1.5}
    """
    return {name.split("/", 1)[1]: value for found in results for name, value in found.items()}


@contextmanager
def _going_on_later(folder: Path) -> Iterator[None]:
    """Lets who is told of an interruption know the folder, and SLURM start the job again if it warned."""
    try:
        yield
    except Interrupted as stop:
        stop.folder = folder
        if stop.signum == signal.SIGUSR1 and processes.leads():
            requeue()
        raise


def _spread(data: Data, split: Split, count: int) -> list[Batch]:
    """Examples from all over a split, which may go by length or class; each is a batch of its own."""
    total = sum(map(len, data.loader(split)))
    wanted = {(2 * number + 1) * total // (2 * count) for number in range(count)}
    found: list[Batch] = []
    start = 0
    for batch in data.loader(split):
        rows = [row for row in range(len(batch)) if start + row in wanted]
        found += [replace(batch.select([row]), continues=False) for row in rows]
        start += len(batch)
    return found


def _flows(data: Data, task: Task) -> list[Flow]:
    """The gradient flow, if the net reads sequences; a run that cannot have it measured stands."""
    try:
        return gradient_flow.gradient_flow(task, gradient_flow.longest(data.loader("test")))
    except Exception as error:
        warnings.warn(f"there is no picture of the run's gradient flow: {error}", RunWarning, stacklevel=2)
        return []
