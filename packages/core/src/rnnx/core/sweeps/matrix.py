"""Many runs of one configuration: each cell with each task and each value of its options, over seeds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, final

from filelock import FileLock, Timeout
from optuna.trial import Trial, TrialState

from rnnx.core.config import Config
from rnnx.core.files import make_folder
from rnnx.core.launchers.launcher import Launcher, launcher_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import find
from rnnx.core.running.interruption import Interruption
from rnnx.core.runs import RESULT
from rnnx.core.spec import Spec
from rnnx.core.sweeps.combinations import Combinations, options
from rnnx.core.sweeps.crew import POLL, at_work, take_turns
from rnnx.core.sweeps.entries import Entry
from rnnx.core.sweeps.once import essence, once, refuse_others
from rnnx.core.sweeps.study import Claim, Study, failure, reason

LOCKS: Final = ".locks"  # beside the runs
AWAITED: Final = "awaited"  # the attribute of a trial whose run another matrix has begun


@final
@dataclass(frozen=True)
class Matrix:
    """What is run, and where; plain data, for workers in other processes.

    Attributes:
        combinations: The runs.
        name: The study's, by which those who work on it share it.
        storage: See :class:`rnnx.core.sweeps.study.Study`.
        launcher: Where the workers run.
        command: What the user typed, for ``result.json``.
    """

    combinations: Combinations
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
            words: As of :meth:`Combinations.parse`; ``launcher.OPTION=VALUE`` are options of the launcher.
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
        combinations = Combinations.parse([word for word in words if not word.startswith("launcher.")])
        study = name or f"matrix-{_digest(combinations.configs)}"
        return cls(combinations, study, storage, chosen, command)

    @property
    def folder(self) -> Path:
        """What the workers share; the runs are beside it."""
        return Path(self.combinations.configs[0].out) / self.name

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


def run(matrix: Matrix, jobs: int = 1, say: Callable[[str], None] = lambda line: None) -> Iterator[Entry]:
    """Runs what is not yet done, each in its folder; a run that fails is an entry, not the end.

    A run that was interrupted goes on, as :func:`rnnx.core.sweeps.once.once`; one whose worker died is taken
    up again. Others may run the same matrix at the same time, on this machine or on some that see its folder:
    all take of the same runs, and all are told of every run.

    Args:
        matrix: From :meth:`Matrix.parse`.
        jobs: How many runs at once, each in a process of its own, which is spawned: a script calls this under
            ``if __name__ == "__main__":``.
        say: Gets a line for each run that another process has begun, as this matrix waits for its result.

    Yields:
        The runs as they end, first those done before.

    Raises:
        RunError: workers die before they begin anything.
        UsageError: see :meth:`Matrix.open`; or a folder holds the result of another run, which stays.
    """
    refuse_others(matrix.combinations.configs)
    left = {str(config.name): config for config in matrix.combinations.configs}
    for name, config in tuple(left.items()):
        if (Path(config.out) / name / RESULT).is_file():
            yield _tried(matrix, config)
            del left[name]
    if not left:
        return
    study = matrix.open()
    study.enlist(left)
    awaited: set[str] = set()
    while left:
        if study.is_waiting():
            launcher: Launcher = matrix.launcher.build(matrix.folder, jobs)
            for _ in at_work(study, launcher, partial(work, matrix), min(jobs, len(left))):
                yield from _ended(matrix, study, left)
                _say_awaited(study.marked(AWAITED), left, awaited, say)
        else:  # others work on what is left
            _say_awaited(left.keys(), left, awaited, say)
            time.sleep(POLL)
            yield from _ended(matrix, study, left)


def work(matrix: Matrix) -> None:
    """Takes runs of a matrix until none waits; what a worker does.

    Another matrix may have the same run among its own: who comes second waits, which the trial says for those
    who look, and finds what the first made.
    Optuna is told how long a run took, as the scores of several tasks cannot be compared.
    """
    study = matrix.open()
    configs = {str(config.name): config for config in matrix.combinations.configs}

    def tried(claim: Claim) -> tuple[float | None, TrialState]:
        config = configs[study.run_of(claim)]
        with _alone(config, claim.trial):
            entry = _tried(matrix, config)
        if entry.values is None:
            claim.trial.set_user_attr("failure", entry.failure)
            return None, TrialState.FAIL
        return entry.values["seconds"]["fit"], TrialState.COMPLETE

    take_turns(study, tried)


@contextmanager
def _alone(config: Config, trial: Trial) -> Iterator[None]:
    """Sees to it that no other matrix works on a run; while one does, the trial says that it waits."""
    locks = Path(config.out) / LOCKS
    make_folder(locks)
    lock = FileLock(locks / str(config.name))
    with suppress(Timeout):
        lock.acquire(blocking=False)
    if not lock.is_locked:
        trial.set_user_attr(AWAITED, True)
        with Interruption():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _say_awaited(
    runs: Iterable[str], left: Mapping[str, Config], said: set[str], say: Callable[[str], None]
) -> None:
    """Says once of each run that is left that another process has begun it."""
    for name in (one for one in runs if one in left and one not in said):
        said.add(name)
        say(f"{Path(left[name].out) / name}: another process runs it; waiting for its result")


def _ended(matrix: Matrix, study: Study, left: dict[str, Config]) -> Iterator[Entry]:
    """Those of the runs that are left that have ended; they are left no more."""
    for name, trial in study.newest().items():
        if name in left and trial.state == TrialState.COMPLETE:
            yield _tried(matrix, left.pop(name))
        elif name in left and trial.state == TrialState.FAIL:
            yield replace(_entry(matrix, left.pop(name)), failure=failure(trial))


def _tried(matrix: Matrix, config: Config) -> Entry:
    """A run that is found, or run; whatever goes wrong is a row of the table."""
    entry = _entry(matrix, config)
    try:
        return replace(entry, values=once(config, matrix.command))
    except Exception as error:
        return replace(entry, failure=reason(error))


def _entry(matrix: Matrix, config: Config) -> Entry:
    """A run of which nothing is known."""
    task = find("task", config.task.name).load()
    folder = Path(config.out) / str(config.name)
    told = options(config, matrix.combinations.varied)
    names = config.task.name, config.cell.name, config.seed
    return Entry(*names, folder, task.monitor, task.mode, None, options=told)


def _digest(configs: Sequence[Config]) -> str:
    """The same for the same runs, wherever they are."""
    plain = [[config.name, essence(config)] for config in configs]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:8]
