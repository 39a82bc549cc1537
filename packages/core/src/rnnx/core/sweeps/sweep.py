"""Many runs of one configuration, each with other values: a search for the best, over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal, TypeAlias, TypeVar, final

from optuna import TrialPruned
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, Trial, TrialState

from rnnx.core.commas import between_commas
from rnnx.core.comparing.scores import mean_and_spread, spread
from rnnx.core.config import Config
from rnnx.core.errors import RunError, UsageError
from rnnx.core.launchers.launcher import Launcher, launcher_of
from rnnx.core.paths import refuse_elsewhere
from rnnx.core.registry import find
from rnnx.core.resolution import resolve
from rnnx.core.spec import Spec
from rnnx.core.sweeps.crew import at_work, take_turns
from rnnx.core.sweeps.once import essence, many_processes, once
from rnnx.core.sweeps.search_space import SearchSpace, Values
from rnnx.core.sweeps.study import Claim, Pruner, Sampler, Study, failure, reason, repeated, twin

TRIALS: Final = 20  # if not said, and there is no grid
SCORED: Final = frozenset({"scores", "spread"})  # what is noted of a complete trial

State: TypeAlias = Literal["complete", "pruned", "failed"]
STATES: Final[Mapping[TrialState, State]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
T = TypeVar("T")


@final
@dataclass(frozen=True)
class Sweep:
    """What is searched, and how; plain data, for workers in other processes.

    Attributes:
        space: The words, without the seeds.
        seeds: Each trial runs with all of them.
        config: Of one of the runs.
        metric: The validation metric that is searched for, that which chooses the best model of a run.
        mode: Whether it is to fall or to rise.
        name: The study's.
        storage: See :class:`rnnx.core.sweeps.study.Study`.
        sampler: See there.
        pruner: See there.
        trials: How many there are to be.
        launcher: Where they run.
        command: What the user typed, for ``result.json``.
    """

    space: SearchSpace
    seeds: tuple[int, ...]
    config: Config
    metric: str
    mode: Literal["min", "max"]
    name: str
    storage: str | None
    sampler: Sampler
    pruner: Pruner
    trials: int
    launcher: Spec
    command: str

    @classmethod
    def parse(
        cls,
        words: Sequence[str],
        *,
        trials: int | None = None,
        sampler: Sampler = "tpe",
        pruner: Pruner = "median",
        storage: str | None = None,
        name: str | None = None,
        launcher: str = "local",
        command: str = "",
    ) -> Sweep:
        """Reads and checks all, before anything runs.

        Args:
            words: As of :class:`rnnx.core.sweeps.search_space.SearchSpace`; ``seed`` may hold several, or a
                range, which are not searched; ``launcher.OPTION=VALUE`` are options of the launcher.
            trials: How many; without it 20, or the whole grid, which also is the most of a grid.
            sampler: See :class:`rnnx.core.sweeps.study.Study`.
            pruner: See there.
            storage: See there.
            name: The study's; ``TASK-sweep`` without it.
            launcher: Name of the launcher.
            command: What the user typed.

        Raises:
            UsageError: all that is wrong: with a word, with a choice, with an end of a range.
        """
        problems: list[str] = []
        _tried(problems, lambda: refuse_elsewhere("--name", name))
        chosen = _tried(problems, lambda: launcher_of(launcher, _among(words, "launcher.")))
        seeds = _tried(problems, lambda: _seeds(words))
        others = [word for word in words if not word.startswith(("seed=", "launcher."))]
        space = _tried(problems, lambda: SearchSpace.parse(others))
        configs: list[Config] = []
        if space is not None:
            problems += _refused(space)
            for values in space.corners():
                for said in seeds or [[]]:
                    config = _tried(problems, partial(resolve, [*space.words(values), *said]))
                    configs += [config] if config else []
            problems += [problem for config in configs for problem in many_processes(config)]
            if any(not config.trainer["limit_val_batches"] for config in configs):
                problems.append(
                    "trainer.limit_val_batches: expected at least one batch, or a fraction above 0, as "
                    "trials are compared by their validations, got 0"
                )
            points = _tried(problems, space.grid) if sampler == "grid" else None
        if problems or chosen is None or space is None:
            raise UsageError(*dict.fromkeys(problems))
        size = len(points or ())
        first = configs[0]
        task = find("task", first.task.name).load()
        metric = first.checkpoint["monitor"] or task.monitor
        return cls(
            space,
            tuple(dict.fromkeys(config.seed for config in configs)),
            first,
            metric,
            "max" if task.rises(metric) else "min",
            name or f"{first.task.name}-sweep",
            storage,
            sampler,
            pruner,
            min(trials or size, size) if size else trials or TRIALS,
            chosen,
            command,
        )

    @property
    def folder(self) -> Path:
        """It holds the runs, a folder each, and what the workers share."""
        return Path(self.config.out) / self.name

    def open(self) -> Study:
        """The study.

        Raises:
            UsageError: there is one of this name, and it is of another sweep; or there is no such storage.
        """
        study = Study(
            self.folder,
            storage=self.storage,
            name=self.name,
            mode=self.mode,
            searched=self.space.searched,
            sampler=self.sampler,
            pruner=self.pruner,
            seed=self.seeds[0],
            wanted=self.trials,
        )
        of = {
            "config": essence(self.config),
            "searched": {key: distribution_to_json(one) for key, one in self.space.searched.items()},
            "seeds": list(self.seeds),
        }
        if study.attributes.get("of", of) != of:
            raise UsageError(
                f"--name: the study {self.name!r} is of another sweep: {study.attributes['command']}; repeat "
                "its words, or give another --name"
            )
        study.describe({"of": of, "command": self.command, "metric": self.metric})
        if self.sampler == "grid":
            study.plan(self.space.grid()[: self.trials])
        return study

    def words(self, values: Values) -> list[str]:
        """The words by which ``rnnx run`` does the first run of a trial again."""
        return [*self.space.words(values), f"seed={self.seeds[0]}"]

    def runs(self, values: Values, origin: int) -> list[Config]:
        """The runs of a trial, one a seed.

        Args:
            values: Of the trial.
            origin: Its number, see :class:`rnnx.core.sweeps.study.Claim`.
        """
        config = resolve(self.space.words(values))
        return [
            replace(config, seed=seed, name=_name(origin, seed), out=str(self.folder)) for seed in self.seeds
        ]


@final
@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        number: Its number in the study.
        state: Whether all its runs ended well, the first was stopped as hopeless, or one failed.
        values: What was chosen, as typed.
        scores: The validation metric of each seed; of a pruned trial the last one there was.
        folders: The runs' folders.
        words: By which ``rnnx run`` does the first run again.
        failure: Why it failed, a sentence; empty where it did not.
    """

    number: int
    state: State
    values: Mapping[str, str]
    scores: tuple[float, ...]
    folders: tuple[Path, ...]
    words: tuple[str, ...]
    failure: str = ""

    @property
    def score(self) -> str:
        """The mean score, and with several seeds the standard deviation; empty where there is none."""
        return mean_and_spread(self.scores) if self.scores else ""

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it, with the mean as ``value`` and the standard deviation as ``spread``."""
        return {
            "number": self.number,
            "state": self.state,
            "values": dict(self.values),
            "value": mean(self.scores) if self.scores else None,
            "spread": spread(self.scores),
            "scores": list(self.scores),
            "folders": [str(folder) for folder in self.folders],
            "words": list(self.words),
            "failure": self.failure,
        }


def run(sweep: Sweep, jobs: int = 1) -> Iterator[Outcome]:
    """Goes on with a sweep until it has as many trials as it is to have.

    Args:
        sweep: From :meth:`Sweep.parse`.
        jobs: How many trials at once, each in a process of its own.

    Yields:
        The trials as they end, first those that ended before.

    Raises:
        RunError: workers die before they begin anything.
    """
    study = sweep.open()
    before = outcomes(sweep, study)
    yield from before
    if len(before) >= sweep.trials:
        return
    told = {outcome.number for outcome in before}
    launcher: Launcher = sweep.launcher.build(sweep.folder, jobs)
    for _ in at_work(study, launcher, partial(work, sweep), jobs):
        for outcome in outcomes(sweep, study):
            if outcome.number not in told:
                told.add(outcome.number)
                yield outcome


def work(sweep: Sweep) -> None:
    """Takes trials of a sweep and runs them, until there are enough; what a worker does.

    A trial that fails is told to the study, and is not the end.
    """
    take_turns(sweep.open(), partial(_tried_out, sweep))


def outcomes(sweep: Sweep, study: Study) -> list[Outcome]:
    """The trials that have ended, by number; without those that others repeat."""
    trials = study.trials
    known = repeated(trials)
    return [_outcome(sweep, trial) for trial in trials if trial.state in STATES and trial.number not in known]


def ranked(found: Sequence[Outcome], mode: Literal["min", "max"]) -> list[Outcome]:
    """The complete trials, the best first; then the pruned ones; then those that failed."""
    sign = 1 if mode == "min" else -1
    order = list(STATES.values())
    return sorted(
        found,
        key=lambda one: (order.index(one.state), sign * mean(one.scores) if one.scores else 0.0, one.number),
    )


def _tried_out(sweep: Sweep, claim: Claim) -> tuple[float | None, TrialState]:
    """The value of a trial, and its state."""
    try:
        return _score(sweep, claim.trial, claim.origin), TrialState.COMPLETE
    except TrialPruned:
        return None, TrialState.PRUNED
    except Exception as error:  # whatever it is: a row of the table
        claim.trial.set_user_attr("failure", reason(error))
        return None, TrialState.FAIL


def _score(sweep: Sweep, trial: Trial, origin: int) -> float:
    from rnnx.core.sweeps.pruning import Pruning

    if (done := twin(trial)) is not None:
        trial.set_user_attr("origin", done.user_attrs.get("origin", done.number))
        for name in SCORED & done.user_attrs.keys():
            trial.set_user_attr(name, done.user_attrs[name])
        return float(done.values[0])
    scores: list[float] = []
    for config in sweep.runs(trial.params, origin):
        callbacks = [] if scores else [Pruning(trial, f"valid/{sweep.metric}")]
        score = once(config, sweep.command, callbacks)["valid"][sweep.metric]
        if math.isnan(score):
            raise RunError(f"{config.name}: its validation {sweep.metric} is not a number")
        scores.append(score)
    trial.set_user_attr("scores", scores)
    if (deviation := spread(scores)) is not None:
        trial.set_user_attr("spread", deviation)
    return mean(scores)


def _name(origin: int, seed: int) -> str:
    """Of a run, after the trial whose it is or that it repeats."""
    return f"trial-{origin:04}-seed-{seed}"


def _outcome(sweep: Sweep, trial: FrozenTrial) -> Outcome:
    state = STATES[trial.state]
    attributes = trial.user_attrs
    origin = attributes.get("origin", trial.number)
    last = [] if trial.value is None else [trial.value]
    return Outcome(
        trial.number,
        state,
        sweep.space.typed(trial.params),
        tuple(attributes.get("scores", last)),
        tuple(sweep.folder / _name(origin, seed) for seed in sweep.seeds),
        tuple(sweep.words(trial.params)),
        failure(trial) if state == "failed" else "",
    )


def _tried(problems: list[str], attempt: Callable[[], T]) -> T | None:
    """The result, or None and one problem more."""
    try:
        return attempt()
    except UsageError as error:
        problems += error.problems
        return None


def _seeds(words: Sequence[str]) -> list[list[str]]:
    """The words of each seed: several have commas between, each counts once, or are a range."""
    typed = [",".join(dict.fromkeys(between_commas(text))) for text in _among(words, "seed=")[-1:]]
    space = SearchSpace.parse([f"seed={text}" for text in typed])
    return [space.words(values) for values in space.grid()]


def _among(words: Sequence[str], prefix: str) -> list[str]:
    return [word.removeprefix(prefix) for word in words if word.startswith(prefix)]


def _refused(space: SearchSpace) -> Iterator[str]:
    if "name" in space.searched or _among(space.fixed, "name="):
        yield "name: each run is named after its trial and seed, the study by --name; leave it out"
    if space.searched.keys() & {"task", "task.name"}:
        yield "task: expected one, as a sweep looks for the best of one metric; rnnx matrix compares tasks"
    if "out" in space.searched:
        yield "out: expected one folder, which holds that of the sweep"
