"""From a configuration to the folder of a run."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import final

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_only

from rnnx.core import processes, reading
from rnnx.core.baseline import Baseline
from rnnx.core.config import Config
from rnnx.core.data import Data, Meta
from rnnx.core.errors import RunWarning, UsageError
from rnnx.core.files import make_folder, replacing
from rnnx.core.matching import matching_size
from rnnx.core.resolution import allow_only, resolve
from rnnx.core.run import Run
from rnnx.core.running import history
from rnnx.core.running.checkpoints import latest, read_checkpoint
from rnnx.core.running.interruption import Interruption, is_requeued, job
from rnnx.core.running.joining import joined
from rnnx.core.running.quiet import quiet
from rnnx.core.running.result import Result, values_of
from rnnx.core.running.trainer import Trainer
from rnnx.core.running.training import Training, count_parameters
from rnnx.core.runs import CONFIG, OUT, RESULT, find_run
from rnnx.core.task import Task

CHANGEABLE = ("trainer.", "checkpoint.", "stopping.", "logger=", "logger.")  # when a run goes on


@final
class Experiment:
    """A configuration that can be run.

    Args:
        config: From :func:`rnnx.core.resolution.resolve`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def from_words(cls, *words: str) -> Experiment:
        """The experiment that ``rnnx run WORDS`` runs, such as ``from_words("cell=lstm", "task=nmt")``.

        Raises:
            UsageError: a word is wrong; it names all that are.
        """
        return cls(resolve(words))

    @staticmethod
    def load(run: str | Path, *words: str, out: str | Path = OUT) -> Run:
        """A finished run, as :meth:`Run.load`."""
        return Run.load(run, *words, out=out)

    def prepare(self) -> tuple[Data, Task | Baseline]:
        """The data, read, and the model that suits it, before any training; seeded.

        Raises:
            UsageError, InputError: an option or a file is wrong.
        """
        Trainer(**self.config.trainer).check()
        L.seed_everything(self.config.seed, workers=True, verbose=False)
        data: Data = self.config.data.build()
        data.prepare()
        if self.config.baseline is not None:
            return data, self.config.baseline.build(data.meta)
        rate = self.config.net["dropout"]
        if rate and self.config.net["layers"] == 1 and processes.leads():
            warnings.warn(
                f"net.dropout: {rate:g} drops nothing, as it is between layers and there is one; add layers "
                "(net.layers=2), or drop what a layer gives (net.variational_output)",
                RunWarning,
                stacklevel=2,
            )
        if self.config.net["match"]:
            self._match(data.meta)
        return data, self.task(data.meta)

    def task(self, meta: Meta) -> Task:
        """The task with a new net, for data of that ``meta``."""
        task: Task = self.config.task.build(self.config.net_plain, meta)
        task.optimizer = self.config.optimizer.build()
        task.schedule = self.config.schedule.build()
        task.watched = self.config.checkpoint["monitor"] or task.monitor
        return task

    def run(
        self,
        command: str = "",
        progress: bool | None = None,
        say: Callable[[str], None] = lambda line: None,
        callbacks: Sequence[L.Callback] = (),
    ) -> Result:
        """Trains, tests the best checkpoint, and writes the run's folder.

        A job that SLURM has started again goes on with the run that it began.

        Args:
            command: What the user typed, for ``result.json``.
            progress: Whether it is shown how far the training is, in a bar (in a notebook, by a line after
                each epoch); if not said, where somebody watches, see
                :func:`~rnnx.core.running.progress.is_watched`.
            say: Gets a line after each validation and each minute, where no progress is shown.
            callbacks: What else happens in the training.

        Raises:
            UsageError: the run's folder exists.
            RunError: the training failed.
        """
        begun = Path(self.config.out) / self._name()
        if is_requeued() and (begun / CONFIG).exists() and not (begun / RESULT).exists():
            return self.resume(begun, command=command, progress=progress, say=say, callbacks=callbacks)
        alone = self.config.baseline is not None
        with (
            quiet(),
            Interruption() as interruption,
            nullcontext() if alone else joined(self.config.trainer),
        ):
            folder = processes.from_leader(self._folder)
            with processes.together(), reading.noting() as read:
                data, model = self.prepare()
            processes.from_leader(lambda: self._settle(folder, read))
            if isinstance(model, Baseline):
                return self._fit_baseline(folder, data, model, command)
            undo = partial(shutil.rmtree, folder)
            training = Training(folder, self.config, command, progress, say, callbacks, interruption, undo)
            return training.carry_out(data, model)

    @classmethod
    def resume(
        cls,
        run: str | Path,
        *words: str,
        out: str | Path = OUT,
        command: str = "",
        progress: bool | None = None,
        say: Callable[[str], None] = lambda line: None,
        callbacks: Sequence[L.Callback] = (),
    ) -> Result:
        """Goes on with a run that was stopped, from its last checkpoint, as if it had never been.

        Args:
            run: A run's folder, or its name.
            *words: What is to be different from now on, such as ``trainer.max_epochs=20``: options of the
                sections trainer, checkpoint (but for its monitor), stopping and logger; with them a run that
                has ended goes on too.
            out: The folder that holds runs.
            command: As for :meth:`run`.
            progress: As for :meth:`run`.
            say: As for :meth:`run`.
            callbacks: As for :meth:`run`.

        Raises:
            UsageError: there is no such run, it has ended, or a word would make another run of it.
            RunError: its checkpoints are damaged, or the training failed.
        """
        folder = find_run(run, out)
        rule = (
            "expected an option of trainer, checkpoint, stopping or logger, as all else of a run stays "
            "when it goes on; start another with rnnx run"
        )
        allow_only(words, CHANGEABLE, rule)
        if (folder / RESULT).exists() and not words:
            raise UsageError(
                f"{folder}: the run has ended, and there is nothing to go on with; for more of it raise "
                "what ended it: trainer.max_epochs, trainer.max_steps, trainer.max_time or stopping.patience"
            )
        experiment = cls(resolve([str(folder / CONFIG), *words]))
        if experiment.config.baseline is not None:
            raise UsageError(f"{folder}: expected a run of a net, as a baseline has no steps to go on from")
        with (
            quiet(),
            Interruption() as interruption,
            joined(experiment.config.trainer),
        ):
            with processes.together(), reading.noting() as read:
                checkpoint = latest(folder, rank_zero_only(say))
                rows = _rows_before(checkpoint) if checkpoint else 0
                data, model = experiment.prepare()
                assert isinstance(model, Task)
                _refuse_another_monitor(folder, model)
            if (others := reading.changed(read, folder)) and processes.leads():
                warnings.warn(f"data: {reading.told(others)}", RunWarning, stacklevel=2)
            undo, config = experiment._put_back(folder), experiment.config
            processes.from_leader(lambda: experiment._go_on(folder, rows))
            training = Training(folder, config, command, progress, say, callbacks, interruption, undo)
            return training.carry_out(data, model, checkpoint)

    def _match(self, meta: Meta) -> None:
        """Sets the hidden size so that the model has as many parameters as ``net.match`` says."""
        config = self.config
        if "hidden_size" not in config.cell.options:
            raise UsageError(
                f"net.match: cell {config.cell.name!r} has no option hidden_size to solve for; set it to 0"
            )

        def sized(size: int) -> Config:
            return replace(
                config, cell=replace(config.cell, options=config.cell.options | {"hidden_size": size})
            )

        def count(size: int) -> int:
            with torch.random.fork_rng(devices=[]):
                return count_parameters(Experiment(sized(size)).task(meta))

        self.config = sized(matching_size(count, int(config.net["match"])))

    def _fit_baseline(self, folder: Path, data: Data, baseline: Baseline, command: str) -> Result:
        start = time.perf_counter()
        baseline.fit(data.loader("train"))
        fitted = time.perf_counter()
        valid = baseline.evaluate(data.loader("valid"), "valid")
        tested = time.perf_counter()
        test = baseline.evaluate(data.loader("test"), "test")
        seconds = {"fit": fitted - start, "test": time.perf_counter() - tested}
        metrics = {"test": test, "valid": valid}
        values = values_of(metrics, seconds, {}, baseline.parameters, self.config.seed, command)
        result = Result(folder, values, [], [])
        result.write()
        return result

    def _settle(self, folder: Path, read: Mapping[str, str]) -> None:
        make_folder(folder, new=True)
        self.config.dump(folder / CONFIG)
        reading.keep(read, folder)

    def _go_on(self, folder: Path, rows: int) -> None:
        self.config.dump(folder / CONFIG)
        history.cut(folder, rows)

    def _put_back(self, folder: Path) -> Callable[[], None]:
        """What undoes :meth:`_go_on`."""
        kept = {
            path: path.read_bytes() for path in (folder / CONFIG, folder / history.METRICS) if path.exists()
        }

        def put_back() -> None:
            for path, content in kept.items():
                with replacing(path) as file:
                    file.write(content)

        return put_back

    def _name(self) -> str:
        """The run's name as it was given, or one made from the task, the model, and a job of SLURM's."""
        model = self.config.cell if self.config.baseline is None else self.config.baseline
        parts = [self.config.task.name, model.short, job()]
        return self.config.name or "-".join(part for part in parts if part)

    def _folder(self) -> Path:
        out, stem = Path(self.config.out), self._name()
        if self.config.name is not None:
            folder = out / stem
            if folder.exists():
                raise UsageError(
                    f"name: the run folder {folder} exists already, and nothing in it is overwritten; "
                    "give another name, or remove it"
                )
            return folder
        names = [stem, *(f"{stem}-{number}" for number in range(2, 2 + len(list(out.glob(f"{stem}*")))))]
        return next(out / name for name in names if not (out / name).exists())


def _rows_before(checkpoint: Path) -> int:
    """How many rows of the history are from before a checkpoint; it is refused to fewer or more processes."""
    saved = read_checkpoint(checkpoint)["rnnx"]
    began, here = len(saved["random"]), processes.rank_and_world_size()[1]
    if began != here:
        raise UsageError(
            f"trainer.devices: expected {began}, as many processes as the run began with, got {here}; start "
            "another run with rnnx run"
        )
    return int(saved["rows"])


def _refuse_another_monitor(folder: Path, model: Task) -> None:
    """Refuses a run that goes on by another metric, as its best model so far would be none of it."""
    chosen_by = resolve([str(folder / CONFIG)]).checkpoint["monitor"] or model.monitor
    if model.watched != chosen_by:
        raise UsageError(
            f"checkpoint.monitor: expected {chosen_by}, by which the best model so far was chosen, got "
            f"{model.watched}; start another run with rnnx run"
        )
