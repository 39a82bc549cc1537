from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from rnnx.core.errors import UsageError
from rnnx.core.sweeps.study import ATTEMPTS, Claim, Study, repeated

SEARCHED = {"x": FloatDistribution(-1.0, 1.0), "kind": CategoricalDistribution(["a", "b", "c"])}

WORKER = """
import json, sys, time
from pathlib import Path
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from rnnx.core.sweeps.study import Study
searched = {"x": FloatDistribution(-1.0, 1.0), "kind": CategoricalDistribution(["a", "b", "c"])}
study = Study(Path(sys.argv[1]), searched=searched, **json.loads(sys.argv[2]))
while (claim := study.claim()) is not None:
    print(claim.trial.number, flush=True)
    if sys.argv[3] == "hang":
        time.sleep(600)
    study.tell(claim, claim.trial.params["x"] ** 2, TrialState.COMPLETE)
"""


def said(**changes: Any) -> dict[str, Any]:
    options = {"storage": None, "name": "s", "mode": "min", "sampler": "random", "pruner": "none", "seed": 1}
    return options | {"wanted": 6} | changes


def study_in(folder: Path, **changes: Any) -> Study:
    return Study(folder, searched=SEARCHED, **said(**changes))


def work(study: Study, at_most: int = 1000) -> list[dict[str, Any]]:
    """What was tried."""
    tried = []
    while len(tried) < at_most and (claim := study.claim()) is not None:
        params = claim.trial.params
        study.tell(claim, params["x"] ** 2 + len(params["kind"]), TrialState.COMPLETE)
        tried.append(params)
    return tried


def worker(folder: Path, way: str, **changes: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WORKER, str(folder), json.dumps(said(**changes)), way]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def die(folder: Path, **changes: Any) -> int:
    """The number of the trial on which a worker was, when it was killed."""
    with worker(folder, "hang", **changes) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.kill()
    return number


def test_there_are_as_many_trials_as_are_wanted_and_more_if_more_are(tmp_path: Path) -> None:
    assert len(work(study_in(tmp_path))) == 6
    assert work(study_in(tmp_path)) == []
    assert len(work(study_in(tmp_path, wanted=8))) == 2
    assert [trial.number for trial in study_in(tmp_path).trials] == list(range(8))


def test_failed_and_pruned_trials_count(tmp_path: Path) -> None:
    study = study_in(tmp_path, wanted=3)
    for state in (TrialState.FAIL, TrialState.PRUNED):
        claim = study.claim()
        assert claim is not None
        study.tell(claim, None, state)
    assert len(work(study)) == 1


def test_two_processes_make_no_trial_more_than_are_wanted(tmp_path: Path) -> None:
    workers = [worker(tmp_path, "work", wanted=25) for _ in range(2)]
    done = [[int(line) for line in process.communicate()[0].split()] for process in workers]
    assert [process.returncode for process in workers] == [0, 0]
    assert sorted(done[0] + done[1]) == list(range(25))
    assert [trial.state for trial in study_in(tmp_path).trials] == [TrialState.COMPLETE] * 25


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_gives_the_same_trials_also_after_a_stop(tmp_path: Path, sampler: str) -> None:
    def trials(folder: str, *portions: int, seed: int = 1) -> list[dict[str, Any]]:
        return [
            params
            for portion in portions
            for params in work(study_in(tmp_path / folder, sampler=sampler, seed=seed, wanted=14), portion)
        ]

    once = trials("once", 14)
    assert once == trials("again", 14) == trials("in portions", 3, 8, 3)
    assert once != trials("other", 14, seed=2)
    assert len({params["x"] for params in once}) == 14
    assert len({params["kind"] for params in once}) > 1


def test_tpe_learns_what_random_does_not(tmp_path: Path) -> None:
    """After its ten random trials, which both samplers share, it looks where the square is small."""
    far = {}
    for sampler in ("random", "tpe"):
        tried = work(study_in(tmp_path / sampler, sampler=sampler, wanted=40))
        far[sampler] = sum(abs(params["x"]) for params in tried[10:]) / 30
    assert far["tpe"] < 0.35 < far["random"]  # a uniform one is 0.5 away, on the average


def test_planned_points_are_tried_each_once(tmp_path: Path) -> None:
    points = [{"x": x, "kind": kind} for x in (0.5, -0.5) for kind in "ab"]
    for wanted in (3, 4):
        study = study_in(tmp_path, wanted=wanted)
        study.plan(points[:wanted])
        work(study)
    assert [trial.params for trial in study_in(tmp_path).trials] == points


def test_the_trial_of_a_killed_worker_is_taken_up_again(tmp_path: Path) -> None:
    work(study_in(tmp_path), 2)
    assert die(tmp_path) == 2
    study = study_in(tmp_path)
    assert study.trials[2].state == TrialState.RUNNING
    claim = study.claim()
    assert claim is not None
    assert study.trials[2].state == TrialState.FAIL
    assert (claim.trial.number, claim.origin) == (3, 2)
    assert claim.trial.params == study.trials[2].params
    assert len(claim.trial.params) == 2
    assert repeated(study.trials) == {2}
    study.tell(claim, 0.0, TrialState.COMPLETE)
    work(study)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert (len(complete), len(study.trials)) == (6, 7)


def test_the_trial_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    with worker(tmp_path, "hang") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        study = study_in(tmp_path)
        assert len(work(study)) == 5
        assert study.trials[0].state == TrialState.RUNNING
        process.kill()
    assert work(study) == [study.trials[0].params]


def test_a_trial_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    assert [die(tmp_path, wanted=1) for _ in range(ATTEMPTS)] == [0, 1, 2]
    study = study_in(tmp_path, wanted=1)
    assert study.claim() is None
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3
    assert repeated(study.trials) == {0, 1}
    assert {trial.user_attrs.get("origin", 0) for trial in study.trials} == {0}


def test_a_worker_killed_while_it_took_up_a_trial_leaves_one_repetition(tmp_path: Path) -> None:
    """Between the two entries in the journal, that of the repetition and that of the failure."""
    die(tmp_path, wanted=2)
    study = study_in(tmp_path, wanted=2)
    again = {"repeats": 0, "origin": 0, "attempt": 2}
    study._study.enqueue_trial(study.trials[0].params, again)
    assert len(work(study)) == 2
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials[1].params == study.trials[0].params


@pytest.mark.parametrize("storage", ["sqlite:///{}/trials.db", "{}/of mine.log"])
def test_any_storage(tmp_path: Path, storage: str) -> None:
    storage = storage.format(tmp_path)
    work(study_in(tmp_path / "a", storage=storage, wanted=3), 2)
    die(tmp_path / "a", storage=storage, wanted=3)
    tried = work(study_in(tmp_path / "a", storage=storage, wanted=3))
    assert len(tried) == 1
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"locks"}
    with pytest.raises(UsageError, match="'s' has its runs in another folder"):
        study_in(tmp_path / "b", storage=storage)
    assert len(work(study_in(tmp_path / "b", storage=storage, name="t", wanted=1))) == 1


@pytest.mark.parametrize("storage", ["sqlite:///{}/trials.db", "{}/other/of mine.log"])
def test_a_new_study_is_refused_where_there_are_runs_of_another(tmp_path: Path, storage: str) -> None:
    storage = storage.format(tmp_path)
    folder = tmp_path / "a"
    work(study_in(folder, wanted=1))
    config = folder / "trial-0000-seed-1" / "config.yaml"
    config.parent.mkdir()
    config.write_text("task: memory\n")
    for _ in range(2):  # the first leaves no study that the second would take for the one that is there
        with pytest.raises(UsageError, match=f"--name: the folder {folder} holds trials of another study"):
            study_in(folder, storage=storage)
    assert config.read_text() == "task: memory\n"
    assert len(work(study_in(folder, wanted=2))) == 1
    assert len(work(study_in(tmp_path / "b", storage=storage, wanted=2))) == 2


@pytest.mark.parametrize("storage", ["nosuch://host/name", "sqlite:////no/such/folder/file", "redis://host"])
def test_a_storage_that_is_none_is_refused(tmp_path: Path, storage: str) -> None:
    with pytest.raises(UsageError, match="--storage: expected a file or a database's URL"):
        study_in(tmp_path, storage=storage)


def test_what_a_study_is_of_is_written_once(tmp_path: Path) -> None:
    study_in(tmp_path).describe({"of": [1, 2], "command": "a"})
    study_in(tmp_path).describe({"of": [3], "command": "b"})
    attributes = study_in(tmp_path).attributes
    assert (attributes["of"], attributes["command"]) == ([1, 2], "a")


def test_hopeless_trials_are_known_by_the_pruner(tmp_path: Path) -> None:
    def hopeless(pruner: str, mode: str, value: float) -> bool:
        study = study_in(tmp_path / f"{pruner} {mode} {value}", pruner=pruner, mode=mode)
        for number in range(5):
            claim = study.claim()
            assert claim is not None
            for step in (1, 2):
                claim.trial.report(1.0 + number / 100, step)
            study.tell(claim, 1.0, TrialState.COMPLETE)
        claim = study.claim()
        assert isinstance(claim, Claim)
        claim.trial.report(value, 1)
        return bool(claim.trial.should_prune())

    assert hopeless("median", "min", 9.0)
    assert not hopeless("median", "min", 0.5)
    assert hopeless("median", "max", 0.5)
    assert not hopeless("none", "min", 9.0)
    assert isinstance(study_in(tmp_path, pruner="hyperband")._study.pruner, optuna.pruners.HyperbandPruner)


def test_runs_wait_once_however_often_they_are_enlisted(tmp_path: Path) -> None:
    study = study_in(tmp_path, wanted=0)
    study.enlist(["a", "b"])
    first = study.claim()
    assert first is not None
    assert study.run_of(first) == "a"
    study.enlist(["b", "a", "c"])  # the one is worked on, the other waits
    assert [trial.user_attrs["run"] for trial in study.trials] == ["a", "b", "c"]
    study.tell(first, None, TrialState.FAIL)
    assert {name: trial.state.name for name, trial in study.newest().items()} == {
        "a": "FAIL",
        "b": "WAITING",
        "c": "WAITING",
    }
    study.enlist(["a"])  # what failed is tried again
    assert study.newest()["a"].state == TrialState.WAITING
    while (claim := study.claim()) is not None:
        study.tell(claim, 1.0, TrialState.COMPLETE)
    assert not study.is_waiting()
    assert {trial.state for trial in study.newest().values()} == {TrialState.COMPLETE}


def test_the_run_of_a_worker_that_died_waits_under_its_name(tmp_path: Path) -> None:
    study = study_in(tmp_path, wanted=0)
    study.enlist(["a"])
    claim = study.claim()
    assert claim is not None
    assert not study.is_waiting()
    claim.lock.release()  # as the operating system does
    assert study.is_waiting()
    again = study.claim()
    assert again is not None
    assert (again.origin, study.run_of(again)) == (claim.trial.number, "a")
    assert study.newest()["a"].number == again.trial.number
