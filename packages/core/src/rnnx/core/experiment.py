"""One run, from its configuration to its folder, and back from the folder to a model that answers."""

from __future__ import annotations

import csv
import json
import logging
import platform
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from torch import nn

from rnnx.core import analysis
from rnnx.core.baseline import Baseline
from rnnx.core.batch import Batch
from rnnx.core.data import Data, Meta, Split
from rnnx.core.errors import RunError, UsageError
from rnnx.core.matching import matching_size
from rnnx.core.plots import curves, gradient_flow
from rnnx.core.runs import RESULT, find_run
from rnnx.core.spec import Config, resolve
from rnnx.core.task import Task
from rnnx.core.tracking import METRICS, Meter, Tracker
from rnnx.core.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 5


@final
@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        folder: The run's folder.
        values: What ``result.json`` holds: ``test`` and ``valid`` metrics, ``seconds``, ``throughput``,
            ``parameters``, ``seed``, ``versions``, ``command``.
        samples: Sample outputs on the test split, a row each.
        plots: The pictures in ``plots/``.
    """

    folder: Path
    values: Mapping[str, Any]
    samples: Sequence[Mapping[str, str]]
    plots: Sequence[Path]


@final
class Experiment:
    """A configuration that can be run.

    Args:
        config: From :func:`rnnx.core.spec.resolve`.
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
    def load(run: str | Path, out: str | Path = "runs") -> Run:
        """A finished run, as :meth:`Run.load`."""
        return Run.load(run, out)

    def prepare(self) -> tuple[Data, Task | Baseline]:
        """The data, read, and the model that suits it, before any training; seeded.

        Raises:
            UsageError, InputError: an option or a file is wrong.
        """
        L.seed_everything(self.config.seed, workers=True, verbose=False)
        data: Data = self.config.data.build()
        data.prepare()
        if self.config.baseline is not None:
            return data, self.config.baseline.build(data.meta)
        if self.config.net["match"]:
            self._match(data.meta)
        return data, self.task(data.meta)

    def task(self, meta: Meta) -> Task:
        """The task with a new net, for data of that ``meta``."""
        task: Task = self.config.task.build(self.config.net_plain, meta)
        task.optimizer = self.config.optimizer.build()
        task.schedule = self.config.schedule.build()
        return task

    def run(
        self, command: str = "", progress: bool = False, say: Callable[[str], None] = lambda line: None
    ) -> Result:
        """Trains, tests the best checkpoint, and writes the run's folder.

        Args:
            command: What the user typed, for ``result.json``.
            progress: Whether a progress bar is shown.
            say: Gets a line after each epoch.

        Raises:
            UsageError: the run's folder exists.
            RunError: the training failed.
        """
        with _quiet():
            folder = self._folder()
            data, model = self.prepare()
            folder.mkdir(parents=True)
            self.config.dump(folder / "config.yaml")
            if isinstance(model, Baseline):
                return self._fit_baseline(folder, data, model, command)
            return self._fit(folder, data, model, command, progress, say)

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

    def _fit(
        self, folder: Path, data: Data, task: Task, command: str, progress: bool, say: Callable[[str], None]
    ) -> Result:
        tracker: Tracker = self.config.logger.build()
        meter = Meter(self.config.trainer["log_every_n_steps"])
        best = ModelCheckpoint(
            folder / "checkpoints",
            filename="best",
            monitor=f"valid/{task.monitor}",
            mode=task.mode,
            enable_version_counter=False,
        )
        last = ModelCheckpoint(folder / "checkpoints", filename="last", enable_version_counter=False)
        callbacks: list[L.Callback] = [meter, best, last, _Origin(self.config.to_plain()), _Lines(say)]
        if progress:
            callbacks.append(TQDMProgressBar())
        try:
            loggers = tracker.begin(folder, self.config.to_plain())
        except UsageError:
            shutil.rmtree(folder)
            raise
        trainer = Trainer(**self.config.trainer).build(folder, loggers, callbacks, progress)
        start = time.perf_counter()
        try:
            trainer.fit(task, data.loader("train"), data.loader("valid"))
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
        fitted = time.perf_counter()
        task.load_state_dict(read_checkpoint(Path(best.best_model_path))["state_dict"])
        untracked = Trainer(**self.config.trainer).build(folder, [], [], progress=False)
        valid = _metrics(untracked.validate(task, data.loader("valid"), verbose=False))
        tested = time.perf_counter()
        test = _metrics(trainer.test(task, data.loader("test"), verbose=False))
        done = time.perf_counter()
        values = self._values(
            command,
            {"test": test, "valid": valid},
            {"fit": fitted - start, "test": done - tested},
            {"train_tokens_per_second": meter.rate},
            count_parameters(task),
        )
        task.eval()
        batch = _middle(data, "test").to(task.device)
        with torch.no_grad():
            samples, figures = task.samples(batch)[:SAMPLES], task.figures(batch)
        if (folder / METRICS).exists():
            figures["curves"] = curves(folder / METRICS)
        figures |= _flow(data, task)
        plots = []
        for name, figure in figures.items():
            plots.append(folder / "plots" / f"{name}.png")
            plots[-1].parent.mkdir(exist_ok=True)
            figure.savefig(plots[-1], dpi=120)
        result = _write(Result(folder, values, samples, plots))
        try:
            tracker.finish(values, samples, figures)
        except Exception as error:  # whatever tracking may do at the end, the run stands
            say(f"the tracking of the run did not end well, but its folder is whole: {error}")
        return result

    def _fit_baseline(self, folder: Path, data: Data, baseline: Baseline, command: str) -> Result:
        start = time.perf_counter()
        baseline.fit(data.loader("train"))
        fitted = time.perf_counter()
        valid = baseline.evaluate(data.loader("valid"), "valid")
        tested = time.perf_counter()
        test = baseline.evaluate(data.loader("test"), "test")
        seconds = {"fit": fitted - start, "test": time.perf_counter() - tested}
        values = self._values(command, {"test": test, "valid": valid}, seconds, {}, baseline.parameters)
        return _write(Result(folder, values, [], []))

    def _values(
        self,
        command: str,
        metrics: Mapping[str, Mapping[str, float]],
        seconds: Mapping[str, float],
        throughput: Mapping[str, float],
        parameters: int,
    ) -> dict[str, Any]:
        return {
            **metrics,
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "throughput": {name: round(value, 1) for name, value in throughput.items()},
            "parameters": parameters,
            "seed": self.config.seed,
            "versions": {
                "rnnx": version("rnnx-core"),
                "torch": torch.__version__,
                "lightning": L.__version__,
                "python": platform.python_version(),
            },
            "command": command,
        }

    def _folder(self) -> Path:
        out = Path(self.config.out)
        if self.config.name is not None:
            folder = out / self.config.name
            if folder.exists():
                raise UsageError(
                    f"name: the run folder {folder} exists already, and nothing in it is overwritten; "
                    "give another name, or remove it"
                )
            return folder
        model = self.config.cell if self.config.baseline is None else self.config.baseline
        stem = f"{self.config.task.name}-{model.short}"
        names = [stem, *(f"{stem}-{number}" for number in range(2, 2 + len(list(out.glob(f"{stem}*")))))]
        return next(out / name for name in names if not (out / name).exists())


@final
class Run:
    """A finished run: its configuration, and its model as it was at its best.

    Args:
        folder: The run's folder.
        config: Its configuration.
        task: Its model, ready to predict.
    """

    def __init__(self, folder: Path, config: Config, task: Task) -> None:
        self.folder, self.config, self.task = folder, config, task

    @classmethod
    def load(cls, run: str | Path, out: str | Path = "runs") -> Run:
        """Opens a run.

        Args:
            run: A run's folder, or its name.
            out: The folder that holds runs.

        Raises:
            UsageError: there is no such run.
            RunError: its checkpoint is damaged, or is none.
        """
        folder = find_run(run, out)
        config = resolve([str(folder / "config.yaml")])
        if config.baseline is not None:
            name = config.baseline.short
            raise UsageError(f"{folder}: expected a run of a net, but its model is the baseline {name!r}")
        checkpoint = read_checkpoint(folder / "checkpoints" / "best.ckpt")
        hyper_parameters = checkpoint["hyper_parameters"]
        task: Task = config.task.build(hyper_parameters["net"], hyper_parameters["meta"])
        task.load_state_dict(checkpoint["state_dict"])
        return cls(folder, config, task.eval())

    def predict(self, lines: Iterable[str], **options: Any) -> Iterator[str]:
        """The task's answers, lazily; the options are those of the task's ``predict``."""
        return self.task.predict(lines, **options)

    def test(self) -> dict[str, float]:
        """The metrics on the test split, measured anew."""
        with _quiet():
            data = self._data()
            trainer = Trainer(**self.config.trainer).build(self.folder, [], [], progress=False)
            return _metrics(trainer.test(self.task, data.loader("test"), verbose=False))

    def flow(self) -> list[analysis.Flow]:
        """How gradients flow through the model on its longest test data.

        As :func:`rnnx.core.analysis.gradient_flow`.
        """
        with _quiet():
            return analysis.gradient_flow(self.task, analysis.longest(self._data().loader("test")))

    def _data(self) -> Data:
        """The data, read; seeded."""
        L.seed_everything(self.config.seed, workers=True, verbose=False)
        data: Data = self.config.data.build()
        data.prepare()
        return data


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content; nothing in the file is executed.

    Raises:
        UsageError: there is no such file.
        RunError: the file is cut off, or is no checkpoint of rnnx's.
    """
    if not path.is_file():
        raise UsageError(
            f"{path}: expected a checkpoint, and there is no such file; did the run finish an epoch?"
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        whole = zipfile.is_zipfile(path)
        reason = (
            "it holds something other than tensors and plain data"
            if whole
            else "it is cut off or no checkpoint"
        )
        raise RunError(
            f"{path}: expected a checkpoint, but {reason}; use another one, or train again"
        ) from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "hyper_parameters"} <= checkpoint.keys():
        raise RunError(
            f"{path}: expected a checkpoint of rnnx's, but it holds no model; use a file that rnnx wrote"
        )
    return checkpoint


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())


@final
class _Origin(L.Callback):
    """Writes the configuration into every checkpoint."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["rnnx"] = {"version": version("rnnx-core"), "config": self.config}


@final
class _Lines(L.Callback):
    """Says a line after each validation."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.start = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = [f"train loss {metrics['train/loss']:.4g}"] if "train/loss" in metrics else []
        shown += [
            f"{name.replace('/', ' ')} {value:.4g}" for name, value in metrics.items() if name[:6] == "valid/"
        ]
        seconds = time.perf_counter() - self.start
        self.say(f"epoch {trainer.current_epoch + 1} ({seconds:.0f} s): {', '.join(shown)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's tips and without warnings that a user can do nothing about."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*Experiment logs directory.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _metrics(results: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name.split("/", 1)[1]: value for name, value in results[0].items()}


def _middle(data: Data, split: Split) -> Batch:
    """The batch in the middle of a split: where they go by length, examples of a usual one."""
    count = sum(1 for _ in data.loader(split))
    return next(islice(data.loader(split), count // 2, None))


def _flow(data: Data, task: Task) -> dict[str, Figure]:
    """The picture of the gradient flow, if the net reads sequences; a run that cannot have one stands."""
    try:
        flows = analysis.gradient_flow(task, analysis.longest(data.loader("test")))
    except Exception as error:
        warnings.warn(f"there is no picture of the run's gradient flow: {error}", stacklevel=2)
        return {}
    return {"gradient_flow": gradient_flow(flows)} if flows else {}


def _write(result: Result) -> Result:
    """``result.json`` and ``samples/test.tsv``."""
    if result.samples:
        path = result.folder / "samples" / "test.tsv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(result.samples[0]), dialect="excel-tab")
            writer.writeheader()
            writer.writerows(result.samples)
    text = json.dumps(result.values, indent=2, ensure_ascii=False)
    (result.folder / RESULT).write_text(text + "\n", encoding="utf-8")
    return result
