from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from optuna.trial import TrialState

from rnnx.core.errors import Interrupted, RunError
from rnnx.core.launchers.launcher import Launcher
from rnnx.core.sweeps.crew import at_work, take_turns
from rnnx.core.sweeps.study import ATTEMPTS, Claim, Study

RUNS = ("a", "b", "c")


class Here(Launcher):
    """Workers in this process, of which the first few die: before they begin, or on their first trial.

    Args:
        still: How many die before they begin anything.
        late: How many die then, on a trial.
    """

    def __init__(self, study: Study, jobs: int, *, still: int = 0, late: int = 0) -> None:
        super().__init__(study.folder, jobs)
        self.study, self.still, self.late, self.stopped = study, still, late, 0

    def run(self, work: Callable[[], None]) -> None:
        if self.still:
            self.still -= 1
            raise RunError("dead at once")
        if self.late:
            self.late -= 1
            claim = self.study.claim()
            assert claim is not None
            claim.lock.release()  # as the operating system does
            raise RunError("dead on a trial")
        work()

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study(
        tmp_path,
        storage=None,
        name="s",
        mode="max",
        searched={},
        sampler="random",
        pruner="none",
        seed=0,
        wanted=0,
    )
    made.enlist(RUNS)
    return made


def work(study: Study) -> None:
    while (claim := study.claim()) is not None:
        study.tell(claim, 1.0, TrialState.COMPLETE)


def done(study: Study) -> dict[str, TrialState]:
    return {name: trial.state for name, trial in study.newest().items()}


def test_the_work_is_done_whoever_dies_on_it(study: Study) -> None:
    launcher = Here(study, 1, late=2)
    assert len(list(at_work(study, launcher, partial(work, study), 1))) >= 1
    assert done(study) == dict.fromkeys(RUNS, TrialState.COMPLETE)
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 2
    assert launcher.stopped == 1


def test_one_that_cannot_begin_leaves_the_work_to_the_other(study: Study) -> None:
    list(at_work(study, Here(study, 2, still=1), partial(work, study), 2))
    assert done(study) == dict.fromkeys(RUNS, TrialState.COMPLETE)


def test_all_that_cannot_begin_are_an_error(study: Study) -> None:
    with pytest.raises(RunError, match="no worker could begin: dead at once"):
        list(at_work(study, Here(study, 2, still=2), partial(work, study), 2))
    assert done(study) == dict.fromkeys(RUNS, TrialState.WAITING)


def test_the_workers_are_stopped_when_nobody_waits_for_them_any_more(study: Study) -> None:
    launcher = Here(study, 1)
    waiting = at_work(study, launcher, partial(work, study), 1)
    next(waiting)
    waiting.close()
    assert launcher.stopped == 1


def test_a_signal_leaves_the_trial_for_later_and_is_no_attempt(study: Study) -> None:
    stops = iter(range(2 * ATTEMPTS))

    def tried(claim: Claim) -> tuple[float | None, TrialState]:
        if study.run_of(claim) == "b" and next(stops, None) is not None:
            raise Interrupted(signal.SIGTERM)
        return 1.0, TrialState.COMPLETE

    for _ in range(2 * ATTEMPTS):
        with pytest.raises(Interrupted):
            take_turns(study, tried)
        assert done(study)["b"] == TrialState.WAITING
    take_turns(study, tried)
    assert done(study) == dict.fromkeys(RUNS, TrialState.COMPLETE)
