"""The history of a run at Weights & Biases."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from lightning.pytorch.loggers import Logger, WandbLogger
from pydantic import ValidationError

from rnnx.core.errors import RunError, RunWarning, UsageError
from rnnx.core.running.ending import Ending
from rnnx.core.running.history import METRICS
from rnnx.core.running.history_logger import History
from rnnx.core.tracking.tracker import Mode, Tracker
from rnnx.core.tracking.wandb_media import artifact, charts, table
from rnnx.core.tracking.wandb_runs import STEP, has_key, tracked

HURRY = 10.0  # seconds that it is waited for where a run ends before its time
TIMEOUTS = {"init_timeout": 15.0, "finish_timeout": 60.0}  # seconds that a W&B server is waited for


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
            run.log(charts(ending.flows))
            if ending.samples:
                run.log({"samples": table(ending.samples)})
            if self.model and not run.offline and not run.disabled:
                run.logartifact(artifact(run, self._folder, ending.values), aliases=["best"])
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
