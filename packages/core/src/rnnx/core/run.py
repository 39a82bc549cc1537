"""From the folder of a run to a model that answers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from textwrap import shorten
from typing import Any, final

import lightning as L

from rnnx.core import gradient_flow, processes, reading
from rnnx.core.config import Config
from rnnx.core.data import Data
from rnnx.core.declarations.validation import validate
from rnnx.core.errors import RnnxError, RunError, RunWarning, UsageError
from rnnx.core.exporting import exported
from rnnx.core.options import options_of
from rnnx.core.resolution import allow_only, resolve
from rnnx.core.running.checkpoints import BEST, read_checkpoint
from rnnx.core.running.quiet import quiet
from rnnx.core.running.trainer import Trainer
from rnnx.core.running.training import metrics_of
from rnnx.core.runs import CONFIG, OUT, find_model, folder_of
from rnnx.core.task import Task

CHANGEABLE = ("task.", "data=", "data.", "trainer.")  # of a model that is trained


@final
class Run:
    """A finished run: its configuration, and its model as it was at its best, or at another checkpoint.

    Args:
        folder: The run's folder.
        config: Its configuration.
        task: Its model, ready to predict.
        checkpoint: The file that the model is from; None for the best, whose scores ``result.json`` has.
    """

    def __init__(self, folder: Path, config: Config, task: Task, checkpoint: Path | None = None) -> None:
        self.folder, self.config, self.task, self.checkpoint = folder, config, task, checkpoint

    @classmethod
    def load(cls, run: str | Path, *words: str, out: str | Path = OUT) -> Run:
        """Opens a run.

        Args:
            run: A run's folder, or its name; or the file of one of its checkpoints, as
                ``nmt-gru/checkpoints/last.ckpt``; or a folder that was exported.
            *words: What is to be different from the training, such as ``task.beam_size=10`` or
                ``data.test=FILE``: options of the sections task, data and trainer.
            out: The folder that holds runs.

        Raises:
            UsageError: there is no such run or checkpoint, or a word would make another model of it.
            InputError, RunError: its checkpoint is damaged, or is none.
        """
        model = find_model(run, out)
        folder = folder_of(model)
        rule = (
            "expected an option of task, data or trainer, as the model is trained; "
            "train another with rnnx run"
        )
        allow_only(words, CHANGEABLE, rule)
        config = resolve([str(folder / CONFIG), *words])
        if config.baseline is not None:
            name = config.baseline.short
            raise UsageError(f"{folder}: expected a run of a net, but its model is the baseline {name!r}")
        if exported.is_exported(model):
            path, checkpoint = folder / exported.WEIGHTS, exported.read(folder)
        else:
            path = folder / BEST if model == folder else model
            checkpoint = read_checkpoint(path)
        try:
            hyper_parameters = checkpoint["hyper_parameters"]
            task: Task = config.task.build(hyper_parameters["net"], hyper_parameters["meta"])
            task.load_state_dict(checkpoint["state_dict"])
        except RnnxError:
            raise
        except Exception as error:  # whatever a model says to what is not its own
            if words:
                raise UsageError(
                    f"{', '.join(words)}: {folder} holds a trained model, which is none of such options "
                    f"({shorten(str(error), 200)}); leave out those that make another model"
                ) from error
            reason = shorten(f"{type(error).__name__}: {error}", 200)
            raise RunError(
                f"{path}: expected the model of the run's configuration, and it cannot be made ({reason}); "
                "use the files of one run"
            ) from error
        return cls(folder, config, task.eval(), None if model in (folder, folder / BEST) else model)

    @classmethod
    def ensemble(cls, runs: Sequence[str | Path], *words: str, out: str | Path = OUT) -> Run:
        """Opens several runs as one model, whose probabilities are the mean of theirs.

        They may differ in all but their task and what they predict (in translation, the target vocabulary);
        all else that is asked of the whole, such as its data and its beam, is that of the first.

        Args:
            runs: Of each its folder or its name, or a checkpoint of it, as of :meth:`load`.
            *words: What is to be different in the first, as there.
            out: The folder that holds runs.

        Raises:
            UsageError: there is none, or what differs in two of them; or as of :meth:`load`.
            InputError, RunError: as there.

        Example:
            >>> from rnnx.core.experiment import Experiment
            >>> small = ("task=nmt", "data.train=8", "data.valid=2", "data.test=2", "trainer.max_steps=1")
            >>> more = ("cell.hidden_size=4", "logger=none", f"out={getfixture('tmp_path')}")
            >>> trained = [Experiment.from_words(*small, *more, f"cell={cell}") for cell in ("gru", "lstm")]
            >>> runs = [experiment.run().folder for experiment in trained]
            >>> both = Run.ensemble(runs, "task.beam_size=10")
            >>> len(list(both.predict(["la casa"], n_best=3)))
            3
        """
        if not runs:
            raise UsageError("runs: expected one at least, got none")
        whole = cls.load(runs[0], *words, out=out)
        for run in runs[1:]:
            other = cls.load(run, out=out)
            both = f"{whole.folder} and {other.folder}"
            tasks = whole.config.task.name, other.config.task.name
            if len(set(tasks)) > 1:
                raise UsageError(f"{both}: expected runs of one task, got {' and '.join(tasks)}")
            try:
                whole.task.join(other.task)
            except UsageError as error:
                raise UsageError(f"{both}: {error}") from error
        return whole

    def predict(self, lines: Iterable[str], **options: Any) -> Iterator[str]:
        """The task's answers, lazily.

        Args:
            lines: What is to be answered, each a text.
            **options: Those of the task's ``predict``, checked as on the command line.

        Raises:
            UsageError: an option is none of the task's, or has a wrong value; or the lines are one text.
        """
        if isinstance(lines, str | bytes):
            raise UsageError(
                f"lines: expected a list of texts, or another iterable, got {shorten(repr(lines), 40)} by "
                "itself; put it in a list"
            )
        given = {name: fspath(one) if isinstance(one, PathLike) else one for name, one in options.items()}
        label = f"Run.predict with task {self.config.task.name!r}"
        try:
            checked, problems = validate("", label, options_of(type(self.task).predict), given)
        except TypeError as error:  # of JSON
            raise UsageError(f"{label}: expected Python's own numbers and texts; {error}") from error
        if problems:
            raise UsageError(*problems.values())
        return self.task.predict(lines, **checked)

    def test(self) -> dict[str, float]:
        """The metrics on the test split, measured anew, in one process.

        Raises:
            UsageError: the machine has no such accelerator or precision, or no batch is to be looked at.
        """
        plan = Trainer(**self.config.trainer | processes.ALONE)
        plan.check()
        if not self.config.trainer["limit_test_batches"]:
            raise UsageError(
                "trainer.limit_test_batches: expected at least one batch, or a fraction above 0, got 0, by "
                "which nothing is measured; 1.0 takes all"
            )
        with quiet():
            batches = self._data().loader("test")
            plan.check_batches({"test": len(batches)})
            trainer = plan.build(self.folder, [], [])
            return metrics_of(trainer.test(self.task, batches, verbose=False))

    def flow(self) -> list[gradient_flow.Flow]:
        """How gradients flow through the model on its longest test data.

        As :func:`rnnx.core.gradient_flow.gradient_flow`.
        """
        with quiet():
            return gradient_flow.gradient_flow(self.task, gradient_flow.longest(self._data().loader("test")))

    def _data(self) -> Data:
        """The data, read; seeded."""
        L.seed_everything(self.config.seed, workers=True, verbose=False)
        data: Data = self.config.data.build()
        with reading.noting() as read:
            data.prepare()
        if others := reading.changed(read, self.folder):
            warnings.warn(f"data: {reading.told(others)}", RunWarning, stacklevel=3)
        try:
            found = data.meta
        except RnnxError:  # it may tell of a file that the model needs no more, such as its vectors'
            return data
        kept = self.task.hparams["meta"]
        others = [name for name, value in kept.items() if _differs(name, value, found.get(name))]
        if others:
            raise UsageError(
                f"data: expected the {' and '.join(others)} that the model of {self.folder} was trained "
                "with, and these data have another; leave the training data as they were, and change "
                "data.test alone"
            )
        self.task.meta = found  # what it says of the test data, which may be others
        return data


def _differs(name: str, kept: Any, found: Any) -> bool:
    """Whether data say something else of what a model is made for (see :attr:`Data.meta`) than a checkpoint.

    There None stands for what is not kept.
    """
    if isinstance(kept, Mapping) and isinstance(found, Mapping):
        return "test" not in kept and any(_differs(key, kept[key], found.get(key)) for key in kept)
    return kept is not None and name != "places" and kept != found
