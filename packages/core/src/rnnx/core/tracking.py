"""Where the metrics of a run go: nowhere, a CSV file, or Weights & Biases as well."""

from __future__ import annotations

import math
import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import lightning as L
import torch
from lightning.pytorch.loggers import Logger, WandbLogger
from pydantic import ValidationError

from rnnx.core.batch import Batch
from rnnx.core.errors import RunError, RunWarning, UsageError
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.gradient_flow import Flow
from rnnx.core.running.checkpoints import BEST
from rnnx.core.running.ending import Ending
from rnnx.core.running.gradients import GradientNorm
from rnnx.core.running.history import METRICS
from rnnx.core.running.history_logger import History
from rnnx.core.runs import CONFIG, RESULT
from rnnx.core.wandb_runs import STEP, has_key, tracked

if TYPE_CHECKING:
    import wandb
    from wandb.plot.custom_chart import CustomChart

Mode: TypeAlias = Literal["min", "max"]
HURRY = 10.0  # seconds that it is waited for where a run ends before its time
TIMEOUTS = {"init_timeout": 15.0, "finish_timeout": 60.0}  # seconds that a W&B server is waited for


class Tracker(ABC):
    """Follows one run; a plugin of the entry-point group ``rnnx.loggers``."""

    @abstractmethod
    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        """Starts.

        Args:
            folder: The run's folder.
            config: The resolved configuration, plain data.
            metric: The validation metric that chooses the best model, such as ``valid/loss``.
            mode: Whether it is to fall or to rise.

        Returns:
            Lightning's loggers, for the trainer.
        """

    @abstractmethod
    def finish(self, ending: Ending) -> None:
        """Ends."""


@final
class NoLogger(Tracker):
    """Keeps no history; ``result.json`` is written all the same."""

    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        return []

    def finish(self, ending: Ending) -> None:
        pass


@final
class CSV(Tracker):
    """Writes ``metrics.csv`` in the run's folder."""

    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        return [History(folder)]

    def finish(self, ending: Ending) -> None:
        pass


@final
class WeightsAndBiases(Tracker):
    """Tracks to Weights & Biases, and writes ``metrics.csv`` too.

    Offline, without a question, when there is no key, and with a warning when the server cannot be reached or
    refuses the key; ``WANDB_MODE``, ``WANDB_INIT_TIMEOUT`` and ``WANDB_FINISH_TIMEOUT`` have the last word.
    Runs are grouped by task and tagged with cell, task and data; the summary has the best value of the
    validation metric that chooses the model, and its step. ``wandb sync`` uploads what was tracked offline;
    ``rnnx dashboard`` says how.

    Args:
        project: The project's name.
        entity: The user or team; the key's own if not said.
        model: Whether the best checkpoint is stored there too, as an artifact; offline it never is.
    """

    def __init__(self, *, project: str = "rnnx", entity: str | None = None, model: bool = True) -> None:
        self.project, self.entity, self.model = project, entity, model
        self._logger: _Follower | None = None
        self._folder, self._metric = Path(), ""

    def begin(self, folder: Path, config: Mapping[str, Any], metric: str, mode: Mode) -> list[Logger]:
        import wandb

        self._folder, self._metric = folder, metric
        known = _identity(folder)
        try:
            online = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
            self._logger = self._start(config, online, mode, known)
        except wandb.errors.UsageError as error:
            raise UsageError(f"logger: Weights & Biases says: {error} Or set WANDB_MODE=offline") from error
        except ValidationError as error:
            problems = (f"WANDB_{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors())
            raise UsageError(*problems) from error
        except Exception as error:  # whatever a server or its client may do
            warnings.warn(
                f"the run is tracked offline, as Weights & Biases says: {_reason(error)}",
                RunWarning,
                stacklevel=2,
            )
            _let_go(None)
            self._logger = self._start(config, "offline", mode, known)
        return [History(folder), self._logger]

    def finish(self, ending: Ending) -> None:
        import wandb

        assert self._logger is not None
        if self._logger.lost:
            return
        run = self._logger.experiment

        def send() -> None:
            run.summary.update(dict(ending.values))
            name = self._metric.removeprefix("valid/")
            if name in ending.values.get("valid", {}):
                run.summary.update({"best": {name: ending.values["valid"][name], "step": ending.step}})
            run.log({name: wandb.Image(figure) for name, figure in ending.figures.items()})
            run.log(_charts(ending.flows))
            if ending.samples:
                run.log({"samples": _table(ending.samples)})
            if self.model and not run.offline and not run.disabled:
                run.log_artifact(_artifact(run, self._folder, ending.values), aliases=["best"])
            run.finish()

        _within(run, run.settings.finish_timeout, send)

    def _start(self, config: Mapping[str, Any], online: Any, mode: Mode, known: str | None) -> _Follower:
        import wandb

        timeouts: dict[str, Any] = {
            key: value for key, value in TIMEOUTS.items() if f"WANDB_{key.upper()}" not in os.environ
        }
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            name=self._folder.name,
            group=config["task"]["name"],
            tags=[config[section]["name"] for section in ("cell", "task", "data")],
            config=dict(config),
            dir=self._folder.resolve(),  # its own process may have been started in another folder
            id=known,
            resume="allow" if known else None,
            settings=wandb.Settings(mode=online, silent=True, console="off", reinit="create_new", **timeouts),
        )
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        run.define_metric(self._metric, step_metric=STEP, step_sync=True, summary=f"{mode},last")
        return _Follower(experiment=run)


@final
class _Follower(WandbLogger):
    """Lightning's logger to a run of W&B; where that fails, the training goes on without.

    Attributes:
        lost: Whether it has failed.
    """

    lost = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends a row."""
        if self.lost:
            return
        try:
            super().log_metrics(metrics, step)
        except Exception as error:
            self.lost = True
            _let_go(self.experiment)
            warnings.warn(
                f"the run is no longer tracked, as Weights & Biases says: {_reason(error)}",
                RunWarning,
                stacklevel=2,
            )

    def finalize(self, status: str) -> None:
        """Ends the run where the training ends with an error or a signal."""
        if status == "failed" and not self.lost:
            self.lost = True
            with suppress(Exception):
                _within(self.experiment, HURRY, lambda: self.experiment.finish(exit_code=1))


@final
class Meter(L.Callback):
    """Logs throughput, gradient norm and learning rate.

    Args:
        every: Steps between two logs, the trainer's own.
        gradient_norm: The task's.
    """

    def __init__(self, every: int, gradient_norm: GradientNorm) -> None:
        self.every, self.gradient_norm = every, gradient_norm
        self.count, self.seconds = 0, 0.0
        self._since, self._step, self._pending, self._mark = 0.0, 0, 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """What was counted so far."""
        return {"count": self.count, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self.count, self.seconds = state_dict["count"], state_dict["seconds"]

    @property
    def rate(self) -> float:
        """Tokens (or whatever the task predicts) a second of training, validation left out."""
        return self.count / self.seconds if self.seconds else 0.0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        self._since, self._step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Lightning's hook."""
        count = int(outputs["count"])  # which waits for a GPU
        seconds = time.perf_counter() - self._since
        self.seconds += seconds
        self._mark += seconds
        self.count += count
        self._pending += count
        if trainer.global_step > self._step and trainer.global_step % self.every == 0:
            pl_module.log("tokens_per_second", self._pending / self._mark, prog_bar=True, batch_size=1)
            self._pending, self._mark = 0, 0.0

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Lightning's hook, before gradients are clipped."""
        if (trainer.global_step + 1) % self.every == 0:
            pl_module.log("gradient_norm", self.gradient_norm.of(optimizer), batch_size=1)
            pl_module.log("learning_rate", optimizer.param_groups[0]["lr"], batch_size=1)


def _table(samples: Sequence[Mapping[str, Exhibit]]) -> wandb.Table:
    """Samples as a table of W&B's: a column of texts, or of HTML where any of its exhibits has that."""
    import wandb

    rich = {name for row in samples for name, exhibit in row.items() if exhibit.html is not None}
    rows = [
        [
            wandb.Html(exhibit.html or escape(exhibit.text), inject=False) if name in rich else exhibit.text
            for name, exhibit in row.items()
        ]
        for row in samples
    ]
    return wandb.Table(columns=list(samples[0]), data=rows)


def _charts(flows: Sequence[Flow]) -> dict[str, CustomChart]:
    """Charts of W&B's: the decimal logarithm of norms against the lag, a line for each layer.

    What is zero or not finite is left out.
    """
    import wandb

    charts = {}
    for name, title, curves in (
        ("loss", "gradient of the loss at the state: log10 of its norm", [flow.loss for flow in flows]),
        ("state", "memory of the state: log10 of its gradient's norm", [flow.state for flow in flows]),
    ):
        points = [
            [(lag, math.log10(norm)) for lag, norm in enumerate(curve) if 0 < norm < math.inf]
            for curve in curves
        ]
        if any(points):
            charts[f"flow/{name}"] = wandb.plot.line_series(
                [[lag for lag, _ in line] for line in points],
                [[norm for _, norm in line] for line in points],
                keys=[flow.layer for flow in flows],
                title=title,
                xname="lag",
            )
    return charts


def _artifact(run: Any, folder: Path, values: Mapping[str, Any]) -> wandb.Artifact:
    """What of a run's folder ``rnnx predict`` and ``rnnx test`` need, at the same places."""
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", "model", metadata=dict(values))
    for name in (CONFIG, RESULT, BEST):
        artifact.add_file(str(folder / name), name, policy="immutable")
    return artifact


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _within(run: Any, seconds: float, act: Callable[[], None]) -> None:
    """Does what may wait for W&B for ever, which has a limit of its own and does not always keep it.

    Args:
        run: W&B's own run.
        seconds: How long it may take; 0 for ever.
        act: What is done.

    Raises:
        RunError: it took longer, and W&B was ended by force.
    """
    with ThreadPoolExecutor(1) as helper:
        done = helper.submit(act)
        try:
            done.result(seconds or None)
        except TimeoutError:
            _let_go(run)
            raise RunError(
                f"no answer in {seconds:g} s; {METRICS} has all that was measured, and `wandb sync` sends "
                "what W&B's own process had written down"
            ) from None
        except Exception:
            _let_go(run)
            raise


def _let_go(run: Any) -> None:
    """Ends W&B's own process by force; the interpreter would else wait for it at its end, or complain."""
    import wandb

    service: Any = wandb.setup()._connection
    for act in (
        lambda: service._proc._process.kill(),
        lambda: run._run_status_checker.join(),  # its threads see that the process is gone
        wandb.teardown,
    ):
        with suppress(Exception, SystemExit):
            act()


def _identity(folder: Path) -> str | None:
    """W&B's name of the run, where it was tracked before; it is the end of the name of its folder."""
    before = tracked(folder)
    return before[-1].folder.name.rpartition("-")[2] if before else None
