"""Many runs of one configuration: each cell with each task and each value of its options, over seeds."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal, final

from filelock import FileLock, Timeout
from optuna.trial import Trial, TrialState

from rnnx.core.commas import between_commas
from rnnx.core.comparing.labels import short, shown
from rnnx.core.comparing.scores import mean_and_spread
from rnnx.core.config import DEFAULTS, Config
from rnnx.core.config_file import flat
from rnnx.core.declarations.validation import Word
from rnnx.core.errors import UsageError
from rnnx.core.files import make_folder
from rnnx.core.launchers.launcher import Launcher, launcher_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import find, plugins
from rnnx.core.resolution import refuse_blanks, resolve
from rnnx.core.running.interruption import Interruption
from rnnx.core.runs import RESULT
from rnnx.core.spec import Spec
from rnnx.core.sweeps.crew import POLL, at_work, take_turns
from rnnx.core.sweeps.once import essence, many_processes, once, refuse_others
from rnnx.core.sweeps.search_space import SearchSpace, Values
from rnnx.core.sweeps.study import Claim, Study, failure, reason

LOCKS: Final = ".locks"  # beside the runs
AWAITED: Final = "awaited"  # the attribute of a trial whose run another matrix has begun
NAMED: Final = ("task", "cell", "seed")  # what every run is named after
LEARNT: Final = ("task.", "data", "data.")  # how the keys begin that say what is learnt, not by which model
ODD: Final = re.compile(r"[^\w.,+-]", re.ASCII)  # what a folder's name is better without
LONGEST: Final = 120  # characters of a run's name that tell its options


@final
@dataclass(frozen=True)
class Matrix:
    """What is run, and where; plain data, for workers in other processes.

    Attributes:
        configs: The runs, each with a name, by task, then by cell, then by what else is varied.
        varied: The keys, besides task, cell and seed, that have several values.
        name: The study's, by which those who work on it share it.
        storage: See :class:`rnnx.core.sweeps.study.Study`.
        launcher: Where the workers run.
        command: What the user typed, for ``result.json``.
    """

    configs: tuple[Config, ...]
    varied: tuple[str, ...]
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
        space = _space([word for word in words if not word.startswith("launcher.")])
        configs = _configs(space)
        study = name or f"matrix-{_digest(configs)}"
        return cls(tuple(configs), _varied(space), study, storage, chosen, command)

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
        options: What else is varied, by key, and the value here.
    """

    task: str
    cell: str
    seed: int
    folder: Path
    metric: str
    mode: Literal["min", "max"]
    values: Mapping[str, Any] | None
    failure: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Line:
    """The runs of one cell on one task, with the same options, over the seeds.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        metric: See :class:`Entry`.
        mode: Whether a lower or a higher score is the better one.
        scores: The test score of each run that ended well.
        parameters: Of the model; 0 where no run ended well.
        seconds: Of training, on the average.
        failures: Why runs failed, a sentence each.
        options: See :class:`Entry`.
    """

    task: str
    cell: str
    metric: str
    mode: Literal["min", "max"]
    scores: tuple[float, ...]
    parameters: int
    seconds: float
    failures: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The cell, and those of its options that say by which model it is learnt: the row of a grid.

        Example:
            >>> options = {"net.layers": 2, "data.length": 50}
            >>> line = Line("memory", "gru", "loss", "min", (0.5,), 10, 1.5, (), options)
            >>> line.model, line.problem
            ('gru layers=2', 'memory length=50')
        """
        return " ".join([self.cell, *self._told(learnt=False)])

    @property
    def problem(self) -> str:
        """The task, and those of its options that say what is learnt: the column of a grid."""
        return " ".join([self.task, *self._told(learnt=True)])

    def _told(self, learnt: bool) -> list[str]:
        names = short(self.options)
        return [
            f"{names[key]}={shown(value)}"
            for key, value in self.options.items()
            if (key == "data" or key.startswith(LEARNT)) == learnt
        ]

    @property
    def score(self) -> str:
        """The mean score, and with several seeds the standard deviation; or the failure.

        Example:
            >>> Line("lm", "gru", "loss", "min", (1.0, 2.0), 10, 1.5, ()).score
            '1.500 ± 0.707'
        """
        if not self.scores:
            return "; ".join(self.failures)
        return mean_and_spread(self.scores)


def configurations(words: Sequence[str]) -> list[Config]:
    """Every combination of the values in the words, each checked; by task, by cell, by the others, by seed.

    Args:
        words: As of :class:`rnnx.core.sweeps.search_space.SearchSpace`: each may hold several values with
            commas between, or a range that has steps; ``task`` and ``cell`` may be ``all``. What is not said
            of ``task`` and ``cell`` stands in a file among the words, or else is ``all``.

    Raises:
        UsageError: all that is wrong with the words.

    Example:
        >>> words = ["task=memory", "cell=gru", "data.length=20,50", "net.layers=1,2"]
        >>> [config.name for config in configurations(words)][:2]
        ['memory-gru-length=20-layers=1-1', 'memory-gru-length=20-layers=2-1']
    """
    return _configs(_space(words))


def _space(words: Sequence[str]) -> SearchSpace:
    """The words that stand, and what is varied, in the order of the runs."""
    refuse_blanks(words)
    named, others = {}, []
    for word in words:
        key, equals, text = word.partition("=")
        if key.removesuffix(".name") in DEFAULTS:
            key = key.removesuffix(".name")
        if equals and key in NAMED:
            named[key] = _each(key, text)
        else:
            others.append(f"{key}={_each(key, text)}" if equals else word)
    if all("=" in word for word in others):
        named = {"task": _each("task", "all"), "cell": _each("cell", "all")} | named
    found = SearchSpace.parse([*others, *(f"{key}={text}" for key, text in named.items())])
    problems = []
    if "name" in found.searched or any(word.startswith("name=") for word in found.fixed):
        problems.append("name: each run is named after its task, cell, options and seed; leave it out")
    if "out" in found.searched:
        problems.append("out: expected one folder, which holds all runs; put one with a comma in quotes")
    if problems:
        raise UsageError(*problems)
    order = {"task": 0, "cell": 1, "seed": 3}
    return replace(
        found,
        searched={
            key: found.searched[key] for key in sorted(found.searched, key=lambda key: order.get(key, 2))
        },
    )


def _each(key: str, text: str) -> str:
    """The values of a word, each once, as a mean would else have one run in it several times."""
    if text == "all" and key in ("task", "cell"):
        return ",".join(plugin.name for plugin in plugins(key))
    values = between_commas(text)
    return ",".join(dict.fromkeys(values)) if len(values) > 1 else text


def _varied(space: SearchSpace) -> tuple[str, ...]:
    return tuple(key for key in space.searched if key not in NAMED)


def _configs(space: SearchSpace) -> list[Config]:
    """The runs, each once, however its values are typed."""
    found = [_named(_resolved(space, values), _varied(space)) for values in space.grid()]
    if problems := [problem for config in found for problem in many_processes(config)]:
        raise UsageError(*dict.fromkeys(problems))
    return list({config.name: config for config in found}.values())


def _resolved(space: SearchSpace, values: Values) -> Config:
    """A configuration; where it lacks a list, that is told, as commas alone make several values."""
    try:
        return resolve(space.words(values))
    except UsageError as error:
        lists = {key for key in values for one in error.problems if one.startswith(f"{key}: expected a list")}
        told = (
            f"{one} (commas alone are between several values; a list has brackets, as {key}=[1,2])"
            if (key := one.partition(":")[0]) in lists
            else one
            for one in error.problems
        )
        raise UsageError(*told) from None


def _options(config: Config, keys: Sequence[str]) -> dict[str, Any]:
    """The values of some keys, as JSON knows them."""
    plain = dict(flat(config.to_plain()))
    return {key: plain.get(f"{key}.name" if key in DEFAULTS else key) for key in keys}


def _named(config: Config, varied: Sequence[str]) -> Config:
    """A configuration with a name that no other of the matrix has, and that any folder can have.

    It is the same in whatever order the words are, so that the run is found again.
    """
    options = _options(config, sorted(varied))
    names = short(options)
    told = "-".join(f"{names[key]}={_written(value)}" for key, value in options.items())
    if len(told) > LONGEST or any(map(_is_odd, options.values())):
        digest = hashlib.sha256(json.dumps(options).encode()).hexdigest()[:8]
        told = f"{told[:LONGEST]}-{digest}"
    parts = (config.task.name, config.cell.name, told, str(config.seed))
    return replace(config, name="-".join(filter(None, parts)))


def _written(value: Any) -> str:
    """A value as a name has it."""
    text = shown(value)
    return ODD.sub("_", text[1:-1] if isinstance(value, list) else text).strip("_")


def _is_odd(value: Any) -> bool:
    """Whether another value may be written alike."""
    if isinstance(value, str):
        return "," in value or Word(value).value != value or ODD.search(value) is not None
    return ODD.search(shown(value).strip("[]")) is not None


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
    refuse_others(matrix.configs)
    left = {str(config.name): config for config in matrix.configs}
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
    configs = {str(config.name): config for config in matrix.configs}

    def tried(claim: Claim) -> tuple[float | None, TrialState]:
        config = configs[study.run_of(claim)]
        with _alone(config, claim.trial):
            entry = _tried(matrix, config)
        if entry.values is None:
            claim.trial.set_user_attr("failure", entry.failure)
            return None, TrialState.FAIL
        return entry.values["seconds"]["fit"], TrialState.COMPLETE

    take_turns(study, tried)


def lines(entries: Sequence[Entry]) -> list[Line]:
    """The runs that differ in nothing but their seed, together; in the order of the entries."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        alike = json.dumps([entry.task, entry.cell, entry.options])
        groups.setdefault(alike, []).append(entry)
    return [_line(group) for group in groups.values()]


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
    options = _options(config, matrix.varied)
    return Entry(
        config.task.name,
        config.cell.name,
        config.seed,
        folder,
        task.monitor,
        task.mode,
        None,
        options=options,
    )


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
        entries[0].options,
    )
