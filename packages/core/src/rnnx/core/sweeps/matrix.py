"""Many runs of one configuration: each cell with each task, over seeds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal, final

from optuna.trial import TrialState

from rnnx.core.commas import between_commas
from rnnx.core.comparing.scores import mean_and_spread
from rnnx.core.config import Config
from rnnx.core.errors import UsageError
from rnnx.core.launchers.launcher import Launcher, launcher_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import find, plugins
from rnnx.core.resolution import resolve
from rnnx.core.runs import RESULT
from rnnx.core.spec import Spec
from rnnx.core.sweeps.crew import POLL, at_work, take_turns
from rnnx.core.sweeps.once import essence, many_processes, once
from rnnx.core.sweeps.study import Claim, Study, failure, reason

SWEPT: Final = ("task=", "cell=", "seed=")
ONLY: Final = (
    "a matrix takes several values of cell, task and seed only; of other options run one for each value, "
    "with an out=FOLDER of its own, or search the best one by `rnnx sweep`"
)


@final
@dataclass(frozen=True)
class Matrix:
    """What is run, and where; plain data, for workers in other processes.

    Attributes:
        configs: The runs, each with a name, by task, then by cell.
        name: The study's, by which those who work on it share it.
        storage: See :class:`rnnx.core.sweeps.study.Study`.
        launcher: Where the workers run.
        command: What the user typed, for ``result.json``.
    """

    configs: tuple[Config, ...]
    name: str
    storage: str | None
    launcher: Spec
    command: str

    @classmethod
    def parse(
        cls,
        words: Sequence[str],
        *,
        storage: str | None = None,
        name: str | None = None,
        launcher: str = "local",
        command: str = "",
    ) -> Matrix:
        """Reads and checks all, before anything runs.

        Args:
            words: As of :func:`configurations`; ``launcher.OPTION=VALUE`` are options of the launcher.
            storage: See :class:`rnnx.core.sweeps.study.Study`.
            name: The study's; without it one that all who give these words arrive at.
            launcher: Name of the launcher.
            command: What the user typed.

        Raises:
            UsageError: all that is wrong with the words.
        """
        refuse_elsewhere("--name", name)
        own = [word.removeprefix("launcher.") for word in words if word.startswith("launcher.")]
        chosen = launcher_of(launcher, own)
        configs = configurations([word for word in words if not word.startswith("launcher.")])
        return cls(tuple(configs), name or f"matrix-{_digest(configs)}", storage, chosen, command)

    @property
    def folder(self) -> Path:
        """What the workers share; the runs are beside it."""
        return Path(self.configs[0].out) / self.name

    def open(self) -> Study:
        """The study, made if there is none.

        Raises:
            UsageError: see :class:`rnnx.core.sweeps.study.Study`.
        """
        return Study(
            self.folder,
            storage=self.storage,
            name=self.name,
            mode="max",
            searched={},
            sampler="random",
            pruner="none",
            seed=0,
            wanted=0,
        )


@final
@dataclass(frozen=True)
class Entry:
    """One run of a matrix, as far as it came.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        seed: Its seed.
        folder: The run's folder.
        metric: The metric by which models of this task are compared, :attr:`rnnx.core.task.Task.monitor`.
        mode: Whether it is to fall or to rise, :attr:`rnnx.core.task.Task.mode`.
        values: What its ``result.json`` holds; None where it failed.
        failure: Why it failed, a sentence; empty where it did not.
    """

    task: str
    cell: str
    seed: int
    folder: Path
    metric: str
    mode: Literal["min", "max"]
    values: Mapping[str, Any] | None
    failure: str = ""


@final
@dataclass(frozen=True)
class Line:
    """The runs of one cell on one task, over the seeds.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        metric: See :class:`Entry`.
        mode: Whether a lower or a higher score is the better one.
        scores: The test score of each run that ended well.
        parameters: Of the model; 0 where no run ended well.
        seconds: Of training, on the average.
        failures: Why runs failed, a sentence each.
    """

    task: str
    cell: str
    metric: str
    mode: Literal["min", "max"]
    scores: tuple[float, ...]
    parameters: int
    seconds: float
    failures: tuple[str, ...]

    @property
    def score(self) -> str:
        """The mean score, and with several seeds the standard deviation; or the failure.

        Example:
            >>> Line("lm", "gru", "loss", "min", (1.0, 2.0), 10, 1.5, ()).score
            '1.5 ± 0.707'
        """
        if not self.scores:
            return "; ".join(self.failures)
        return mean_and_spread(self.scores)


def configurations(words: Sequence[str]) -> list[Config]:
    """Every combination of the tasks, cells and seeds in the words, each checked; by task, then by cell.

    Args:
        words: As of :func:`rnnx.core.resolution.resolve`; ``task``, ``cell`` and ``seed`` may hold several
            values with commas between, ``task`` and ``cell`` also ``all``. What is not said of ``task`` and
            ``cell`` stands in a file among the words, or else is ``all``.

    Raises:
        UsageError: all that is wrong with the words.
    """
    said = dict(word.split("=", 1) for word in words if word.startswith(SWEPT))
    if any(word.startswith("name=") for word in words):
        raise UsageError("name: each run is named after its task, cell and seed; leave it out")
    others = [word for word in words if not word.startswith(SWEPT)]
    if all("=" in word for word in others):
        said = {"task": "all", "cell": "all"} | said
    said = {key: said[key] for key in ("task", "cell", "seed") if key in said}
    values = [_values(key, text) for key, text in said.items()]
    configs = []
    for combination in product(*values):
        chosen = [f"{key}={value}" for key, value in zip(said, combination, strict=True)]
        config = _resolved(others, chosen)
        configs.append(replace(config, name=f"{config.task.name}-{config.cell.name}-{config.seed}"))
    if problems := [problem for config in configs for problem in many_processes(config)]:
        raise UsageError(*dict.fromkeys(problems))
    return configs


def _resolved(others: Sequence[str], chosen: Sequence[str]) -> Config:
    """A configuration; where several values are refused of what takes one, that is told."""
    try:
        return resolve([*others, *chosen])
    except UsageError as error:
        pairs = [word.partition("=") for word in others]
        several = {key for key, _, text in pairs if len(between_commas(text)) > 1}
        told = (f"{one} ({ONLY})" if one.partition(":")[0] in several else one for one in error.problems)
        raise UsageError(*told) from None


def _values(key: str, text: str) -> list[str]:
    if text == "all" and key != "seed":
        return [plugin.name for plugin in plugins(key)]
    return list(dict.fromkeys(between_commas(text)))


def run(matrix: Matrix, jobs: int = 1) -> Iterator[Entry]:
    """Runs what is not yet done, each in its folder; a run that fails is an entry, not the end.

    A run that was interrupted goes on, as :func:`rnnx.core.sweeps.once.once`; one whose worker died is taken
    up again. Others may run the same matrix at the same time, on this machine or on some that see its folder:
    all take of the same runs, and all are told of every run.

    Args:
        matrix: From :meth:`Matrix.parse`.
        jobs: How many runs at once, each in a process of its own, which is spawned: a script calls this under
            ``if __name__ == "__main__":``.

    Yields:
        The runs as they end, first those done before.

    Raises:
        RunError: workers die before they begin anything.
        UsageError: see :meth:`Matrix.open`.
    """
    left = {str(config.name): config for config in matrix.configs}
    for name, config in tuple(left.items()):
        if (Path(config.out) / name / RESULT).is_file():
            yield _tried(config, matrix.command)
            del left[name]
    if not left:
        return
    study = matrix.open()
    study.enlist(left)
    launcher: Launcher = matrix.launcher.build(matrix.folder, jobs)
    while left:
        if study.is_waiting():
            for _ in at_work(study, launcher, partial(work, matrix), min(jobs, len(left))):
                yield from _ended(matrix, study, left)
        else:  # others work on what is left
            time.sleep(POLL)
            yield from _ended(matrix, study, left)


def work(matrix: Matrix) -> None:
    """Takes runs of a matrix until none waits; what a worker does.

    Optuna is told how long a run took, as the scores of several tasks cannot be compared.
    """
    study = matrix.open()
    configs = {str(config.name): config for config in matrix.configs}

    def tried(claim: Claim) -> tuple[float | None, TrialState]:
        entry = _tried(configs[study.run_of(claim)], matrix.command)
        if entry.values is None:
            claim.trial.set_user_attr("failure", entry.failure)
            return None, TrialState.FAIL
        return entry.values["seconds"]["fit"], TrialState.COMPLETE

    take_turns(study, tried)


def lines(entries: Sequence[Entry]) -> list[Line]:
    """The runs that differ in nothing but their seed, together; in the order of the entries."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.task, entry.cell), []).append(entry)
    return [_line(group) for group in groups.values()]


def _ended(matrix: Matrix, study: Study, left: dict[str, Config]) -> Iterator[Entry]:
    """Those of the runs that are left that have ended; they are left no more."""
    for name, trial in study.newest().items():
        if name in left and trial.state == TrialState.COMPLETE:
            yield _tried(left.pop(name), matrix.command)
        elif name in left and trial.state == TrialState.FAIL:
            yield replace(_entry(left.pop(name)), failure=failure(trial))


def _tried(config: Config, command: str) -> Entry:
    """A run that is found, or run; whatever goes wrong is a row of the table."""
    entry = _entry(config)
    try:
        return replace(entry, values=once(config, command))
    except Exception as error:
        return replace(entry, failure=reason(error))


def _entry(config: Config) -> Entry:
    """A run of which nothing is known."""
    task = find("task", config.task.name).load()
    folder = Path(config.out) / str(config.name)
    return Entry(config.task.name, config.cell.name, config.seed, folder, task.monitor, task.mode, None)


def _digest(configs: Sequence[Config]) -> str:
    """The same for the same runs, wherever they are."""
    plain = [[config.name, essence(config)] for config in configs]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:8]


def _line(entries: Sequence[Entry]) -> Line:
    done = [entry.values for entry in entries if entry.values is not None]
    return Line(
        entries[0].task,
        entries[0].cell,
        entries[0].metric,
        entries[0].mode,
        tuple(values["test"][entries[0].metric] for values in done),
        done[0]["parameters"] if done else 0,
        mean(values["seconds"]["fit"] for values in done) if done else 0.0,
        tuple(entry.failure for entry in entries if entry.failure),
    )
