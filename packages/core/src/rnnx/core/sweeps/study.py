"""The trials of a sweep: an Optuna study that many workers share, some of whom may die."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, final

import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from rnnx.core.errors import UsageError
from rnnx.core.runs import CONFIG
from rnnx.core.sweeps.journal import journal
from rnnx.core.sweeps.search_space import Distribution, Values

ATTEMPTS: Final = 3  # that a trial has, if its workers die
JOURNAL: Final = "journal.log"

Sampler: TypeAlias = Literal["tpe", "random", "grid"]
Pruner: TypeAlias = Literal["median", "hyperband", "none"]

PRUNERS: Mapping[str, type[BasePruner]] = {
    "median": MedianPruner,
    "hyperband": HyperbandPruner,
    "none": NopPruner,
}


@final
@dataclass(frozen=True)
class Claim:
    """A trial that this process works on.

    Attributes:
        trial: Optuna's.
        origin: Its number, or that of the trial whose worker died and that it repeats.
        lock: What tells the others that this process lives.
    """

    trial: Trial
    origin: int
    lock: BaseFileLock


@final
class Study:
    """A study, opened, or made if there is none of this name.

    Workers take turns by a lock in the folder, so that there are never more trials than are wanted; and each
    holds a lock as long as it works on a trial, so that the others see when it dies. All see the folder.

    Args:
        folder: It holds the locks, and the journal where no storage is said.
        storage: A file for the journal, or a URL that Optuna knows; None for the one in the folder.
        name: Its name.
        mode: Whether the value of a trial is to fall or to rise.
        searched: What is searched, by key.
        sampler: How values are chosen; of ``grid`` the points come by :meth:`plan`.
        pruner: Which trials are stopped early.
        seed: Of the choice, with the number of the trial: whatever the number of workers, trial 7 is the same
            with ``random``.
        wanted: How many trials there are to be.

    Raises:
        UsageError: there is no such storage, the study has its locks in another folder, or it would be a new
            one in a folder that holds runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        storage: str | None,
        name: str,
        mode: Literal["min", "max"],
        searched: Mapping[str, Distribution],
        sampler: Sampler,
        pruner: Pruner,
        seed: int,
        wanted: int,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder, self.searched, self.sampler = folder, searched, sampler
        self.seed, self.wanted = seed, wanted
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "locks" / "study")
        with self._lock:
            kept = _storage(storage, folder)
            self._study = optuna.create_study(
                storage=kept,
                study_name=name,
                direction=StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE,
                pruner=PRUNERS[pruner](),
                load_if_exists=True,
            )
            if "home" not in self.attributes and any(folder.glob(f"*/{CONFIG}")):
                optuna.delete_study(study_name=name, storage=kept)
                raise UsageError(
                    f"--name: the folder {folder} holds trials of another study than the {name!r} of this "
                    "storage; give the --storage that it began with, or another --name"
                )
            self._settle(name)

    @property
    def attributes(self) -> dict[str, Any]:
        """What :meth:`describe` wrote."""
        return self._study.user_attrs

    @property
    def trials(self) -> list[FrozenTrial]:
        """All, also those that others repeat."""
        return self._study.get_trials(deepcopy=False)

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Writes what the study is of, plain data, unless that is there already."""
        for key in attributes.keys() - self.attributes.keys():
            self._study.set_user_attr(key, attributes[key])

    def plan(self, points: Sequence[Values]) -> None:
        """Sees to it that these are tried, each once."""
        with self._lock:
            for point in points:
                self._study.enqueue_trial(dict(point), skip_if_exists=True)

    def enlist(self, runs: Iterable[str]) -> None:
        """Sees to it that each of these runs waits for a worker or has one, also where it was tried before.

        Args:
            runs: Their names.
        """
        with self._lock:
            newest = self.newest()
            for run in runs:
                if run not in newest or newest[run].state.is_finished():
                    self._study.enqueue_trial({}, {"run": run})

    def newest(self) -> dict[str, FrozenTrial]:
        """The last trial of each run, see :meth:`enlist`."""
        trials = self.trials
        origins = (trials[trial.user_attrs.get("origin", trial.number)] for trial in trials)
        return {origin.user_attrs["run"]: trial for origin, trial in zip(origins, trials, strict=True)}

    def marked(self, attribute: str) -> list[str]:
        """The runs that are worked on and whose trial has an attribute, see :meth:`enlist`."""
        return [
            run
            for run, trial in self.newest().items()
            if trial.state == TrialState.RUNNING and attribute in trial.user_attrs
        ]

    def run_of(self, claim: Claim) -> str:
        """The name of the run that is to be worked on, see :meth:`enlist`."""
        name: str = self.trials[claim.origin].user_attrs["run"]
        return name

    def is_waiting(self) -> bool:
        """Whether a trial waits for a worker, also one whose worker died."""
        with self._lock:
            self._take_up_the_dead()
            return any(trial.state == TrialState.WAITING for trial in self.trials)

    def claim(self) -> Claim | None:
        """A trial to work on: one that waits, or a new one; None if there are as many as are wanted.

        Trials whose worker died are told to have failed, and wait anew, unless that was their last attempt.
        """
        with self._lock:
            self._take_up_the_dead()
            trials = self.trials
            waiting = [trial.number for trial in trials if trial.state == TrialState.WAITING]
            if not waiting and len(trials) - len(repeated(trials)) >= self.wanted:
                return None
            self._study.sampler = self._sampler(waiting[0] if waiting else len(trials))
            trial = self._study.ask(dict(self.searched))
            lock = self._life(trial.number)
            lock.acquire()
            return Claim(trial, trial.user_attrs.get("origin", trial.number), lock)

    def tell(self, claim: Claim, value: float | None, state: TrialState) -> None:
        """Ends the work on a trial.

        Args:
            claim: From :meth:`claim`.
            value: Of a complete trial.
            state: What became of it.
        """
        with self._lock:
            self._study.tell(claim.trial, value, state)
            self._free(claim.lock)

    def put_back(self, claim: Claim) -> None:
        """Leaves a trial to others, or to a later time: it waits anew, and this was no attempt."""
        with self._lock:
            self._repeat(self.trials[claim.trial.number], attempts=0)
            self._study.tell(claim.trial, state=TrialState.FAIL)
            self._free(claim.lock)

    def _settle(self, name: str) -> None:
        """Sees to it that the study has one folder, whose locks are true."""
        home = self.folder / "locks" / "home"
        if not home.exists():
            home.write_text(uuid.uuid4().hex, encoding="utf-8")
        here = home.read_text(encoding="utf-8")
        if self.attributes.get("home", here) != here:
            raise UsageError(
                f"--name: the study {name!r} has its runs in another folder than {self.folder}, and all who "
                "work on it are to see one; give its out=FOLDER, or another --name"
            )
        self.describe({"home": here})

    def _take_up_the_dead(self) -> None:
        trials = self.trials
        known = repeated(trials)
        for trial in trials:
            if trial.state != TrialState.RUNNING:
                continue
            lock = self._life(trial.number)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            if trial.number not in known and trial.user_attrs.get("attempt", 1) < ATTEMPTS:
                self._repeat(trial, attempts=1)
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._free(lock)

    def _repeat(self, trial: FrozenTrial, attempts: int) -> None:
        """Has a trial wait anew, which had so many attempts in this one."""
        origin = trial.user_attrs.get("origin", trial.number)
        attempt = trial.user_attrs.get("attempt", 1) + attempts
        self._study.enqueue_trial(
            trial.params, {"repeats": trial.number, "origin": origin, "attempt": attempt}
        )

    def _life(self, number: int) -> BaseFileLock:
        return FileLock(self.folder / "locks" / f"{number:04}")

    @staticmethod
    def _free(lock: BaseFileLock) -> None:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)

    def _sampler(self, number: int) -> BaseSampler:
        seed = random.Random(f"{self.seed} {number}").getrandbits(32)
        return TPESampler(seed=seed) if self.sampler == "tpe" else RandomSampler(seed=seed)


def twin(trial: Trial) -> FrozenTrial | None:
    """A complete trial of the same values, whose runs would be made again; None if there is none."""
    done = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((other for other in done if other.params == trial.params), None)


def reason(error: Exception) -> str:
    """Why a trial failed, in one line, for its attribute ``failure``.

    Example:
        >>> reason(ValueError("not   here")), reason(ValueError())
        ('not here', 'ValueError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def failure(trial: FrozenTrial) -> str:
    """Why a trial failed that did: what its worker said, unless it died."""
    said: str = trial.user_attrs.get("failure", f"its worker died, {ATTEMPTS} times")
    return said


def repeated(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the trials whose worker died and that others repeat."""
    return {trial.user_attrs["repeats"] for trial in trials if "repeats" in trial.user_attrs}


def _storage(storage: str | None, folder: Path) -> BaseStorage:
    if storage is None or "://" not in storage:
        return journal(Path(storage or folder / JOURNAL))
    try:
        return optuna.storages.get_storage(storage)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"--storage: expected a file or a database's URL, got {storage!r}: {reason}"
        ) from error
