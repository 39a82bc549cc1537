from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from statistics import mean, stdev
from typing import Any, TypeVar

import pytest
from optuna.trial import TrialState

from rnnx.core.errors import RunError, UsageError
from rnnx.core.resolution import resolve
from rnnx.core.sweeps.sweep import Outcome, Sweep, outcomes, ranked, run, work

SMALL = (
    "task=memory",
    "logger=csv",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
)
TYPED = "rnnx sweep as typed"
T = TypeVar("T")


def sweep_in(folder: Path, *words: str, **options: Any) -> Sweep:
    return Sweep.parse([*SMALL, f"out={folder}", *words], name="s", command=TYPED, **options)


def result(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return values


def outcome(number: int, state: Any = "complete", *scores: float) -> Outcome:
    return Outcome(number, state, {}, scores, (), ())


def problems(*words: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        Sweep.parse(words, **options)
    return error.value.problems


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "task=lm",
        "cell=gru,elmann",
        "cell.hiden_size=4,8",
        "optimizer.lr=uniform:-1..1",
        "net.dropout=0.1,0.2,1.5",
        "net.layers=int:1..3",
        "seed=1,two",
        "launcher.theads=2",
    ]
    found = problems(*words)
    expected = [
        "launcher.theads: no such option of launcher 'local'; did you mean 'threads'?",
        "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?",
        "optimizer.lr: expected a number above 0, got -1.0",
        "cell: no such cell 'elmann'; did you mean 'elman'",
        "net.dropout: expected a number of at least 0 and below 1, got 1.5",
        "seed: expected an integer from 0 to 4294967295, got 'two'",
    ]
    for problem in expected:
        assert [one for one in found if one.startswith(problem)], (problem, found)
    assert len(found) == len(expected)
    assert not list(tmp_path.iterdir())


def test_the_upper_end_of_a_range_is_checked_too() -> None:
    assert problems("net.dropout=uniform:0..1") == (
        "net.dropout: expected a number of at least 0 and below 1, got 1.0",
    )


def test_an_option_is_checked_with_each_component() -> None:
    assert problems("cell=lstm,gru", "cell.forget_bias=0,1") == (
        "cell.forget_bias: no such option of cell 'gru' "
        "(options: hidden_size, reset, update_bias, layer_norm)",
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("task=lm,nmt", "task: expected one"),
        ("name=mine", "name: each run is named"),
        ("name=a,b", "name: each run is named"),
        ("out=a,b", "out: expected one folder"),
        ("trainer.devices=2", "trainer.devices: expected 1, as each of many runs has one process, got 2"),
        ("trainer.num_nodes=1,2", "trainer.num_nodes: expected 1"),
        ("trainer.limit_val_batches=0", "trainer.limit_val_batches: expected at least one batch, "),
        ("net.layers=int:1", "net.layers: expected int:LOWEST..HIGHEST"),
    ],
)
def test_what_a_sweep_cannot_have(word: str, problem: str) -> None:
    (found,) = problems(word)
    assert found.startswith(problem)


def test_a_study_stays_in_the_folder_of_runs() -> None:
    (found,) = problems("task=lm", name="../mine")
    assert found.startswith("--name: expected that of a folder within the folder of runs, got '../mine'")


def test_a_launcher_that_there_is_not() -> None:
    (found,) = problems("task=lm", launcher="slurmm")
    assert found.startswith("launcher: no such launcher 'slurmm'; did you mean 'slurm'?")


def test_what_is_not_said() -> None:
    sweep = Sweep.parse(["task=lm", "cell=gru,lstm"])
    assert (sweep.trials, sweep.seeds, sweep.name) == (20, (1,), "lm-sweep")
    assert (sweep.metric, sweep.mode) == ("perplexity", "min")
    other = Sweep.parse(["task=nmt", "cell=gru,lstm", "checkpoint.monitor=chrf"])
    assert (other.metric, other.mode) == ("chrf", "max")
    assert Sweep.parse(["task=nmt", "cell=gru,lstm", "checkpoint.monitor=loss"]).mode == "min"
    assert Sweep.parse(["task=lm", "cell=gru,lstm", "net.layers=int:1..3"], sampler="grid").trials == 6
    assert Sweep.parse(["cell=gru,lstm", "net.layers=int:1..3"], sampler="grid", trials=4).trials == 4
    assert Sweep.parse(["cell=gru,lstm", "net.layers=int:1..3"], sampler="grid", trials=40).trials == 6


def test_a_files_seed_counts_unless_others_are_said(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("task: lm\nname: mine\nseed: 5\n")
    assert Sweep.parse([str(path), "cell=gru,lstm"]).seeds == (5,)
    assert Sweep.parse(["seed=3, 1,3", str(path), "cell=gru,lstm"]).seeds == (3, 1)
    assert Sweep.parse([str(path), "cell=gru,lstm", "seed=int:1..3"]).seeds == (1, 2, 3)
    with pytest.raises(UsageError, match=r"^seed: .*, got '1\.\.3'; write seed=int:1\.\.3$"):
        Sweep.parse(["seed=1..3", "cell=gru,lstm"])


def test_a_grid_is_run_and_found_again(tmp_path: Path) -> None:
    words = ["cell=gru,elman", "cell.hidden_size=int:3..4"]
    sweep = sweep_in(tmp_path, *words, "seed=1,2", sampler="grid", pruner="none")
    work(sweep)
    found = outcomes(sweep, sweep.open())
    assert [one.values for one in found] == [
        {"cell": cell, "cell.hidden_size": size} for cell in ("gru", "elman") for size in ("3", "4")
    ]
    assert {one.state for one in found} == {"complete"}
    for number, one in enumerate(found):
        assert one.folders == tuple(tmp_path / "s" / f"trial-{number:04}-seed-{seed}" for seed in (1, 2))
        results = [result(folder) for folder in one.folders]
        assert [values["seed"] for values in results] == [1, 2]
        assert {values["command"] for values in results} == {TYPED}
        scores = [values["valid"][sweep.metric] for values in results]
        assert one.scores == tuple(scores)
        assert scores[0] != scores[1]
        plain = one.to_plain()
        assert (plain["value"], plain["spread"]) == (mean(scores), stdev(scores))
        trial = sweep.open().trials[number]
        assert (trial.value, trial.user_attrs["spread"]) == (mean(scores), stdev(scores))
        config = resolve([str(one.folders[0] / "config.yaml")])
        again = resolve(one.words)
        assert (again.cell, again.seed, again.net) == (config.cell, 1, config.net)

    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/*/result.json")}
    assert len(written) == 8
    work(sweep)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/*/result.json")} == written


def test_values_that_were_tried_are_not_trained_again(tmp_path: Path) -> None:
    words = ("cell.hidden_size=4,8", "seed=1,2")
    sweep = sweep_in(tmp_path, *words, trials=5, sampler="random", pruner="none")
    found = list(run(sweep))
    assert [one.state for one in found] == ["complete"] * 5
    by_values = {
        values: [one for one in found if one.values["cell.hidden_size"] == values] for values in "48"
    }
    assert all(by_values.values())
    for alike in by_values.values():
        assert len({one.scores for one in alike}) == len({one.folders for one in alike}) == 1
        assert all(len(one.scores) == 2 for one in alike)
    folders = {folder for one in found for folder in one.folders}
    assert {folder.parent for folder in tmp_path.rglob("result.json")} == folders
    assert len(folders) == 4


def test_a_failed_trial_is_not_the_end(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path, "cell=clockwork,gru", "cell.hidden_size=4", sampler="grid")
    work(sweep)
    clockwork, gru = outcomes(sweep, sweep.open())
    assert (clockwork.state, clockwork.scores, clockwork.score) == ("failed", (), "")
    assert "multiple of 8" in clockwork.failure
    assert (gru.state, gru.failure) == ("complete", "")
    assert ranked([clockwork, gru], "min") == [gru, clockwork]


def test_a_score_that_is_no_number_is_a_failure(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path, "cell.hidden_size=4", "optimizer=sgd", "optimizer.lr=1e38,1e37", trials=1)
    work(sweep)
    (found,) = outcomes(sweep, sweep.open())
    assert found.state == "failed"
    assert found.failure


def test_a_hopeless_trial_is_stopped_early_and_with_its_first_seed(tmp_path: Path) -> None:
    good = "0.01,0.011,0.012,0.013,0.014"
    words = ["cell.hidden_size=4", "seed=1,2", "trainer.max_epochs=4", f"optimizer.lr={good},1e-9"]
    sweep = sweep_in(tmp_path, *words, sampler="grid", pruner="median")
    work(sweep)
    *others, hopeless = outcomes(sweep, sweep.open())
    assert [one.state for one in others] == ["complete"] * 5
    assert (hopeless.state, len(hopeless.scores)) == ("pruned", 1)
    with (hopeless.folders[0] / "metrics.csv").open() as file:
        losses = [row[f"valid/{sweep.metric}"] for row in csv.DictReader(file)]
    assert [float(loss) for loss in losses if loss] == [pytest.approx(hopeless.scores[0])]
    assert not hopeless.folders[1].exists()


def test_another_sweep_is_not_taken_for_this_one(tmp_path: Path) -> None:
    words = ("cell=gru,elman", "net.layers=1")
    sweep_in(tmp_path, *words).open()
    sweep_in(tmp_path, *words, "logger=none", trials=7, pruner="none", sampler="random").open()
    for others in (["cell=gru,lstm"], ["net.layers=2"], ["seed=1,2"], ["net.dropout=0.1,0.2"]):
        with pytest.raises(UsageError, match=f"the study 's' is of another sweep: {TYPED}"):
            sweep_in(tmp_path, *words, *others).open()


def test_the_best_first_then_what_was_pruned_then_what_failed() -> None:
    found = [
        outcome(0, "failed"),
        outcome(1, "pruned", 0.1),
        outcome(2, "complete", 3.0, 1.0),
        outcome(3, "complete", 1.0),
        outcome(4, "complete", 5.0),
        outcome(5, "complete", 1.0),
    ]
    assert [one.number for one in ranked(found, "min")] == [3, 5, 2, 4, 1, 0]
    assert [one.number for one in ranked(found, "max")] == [4, 2, 3, 5, 1, 0]


def test_an_outcome_in_plain_data() -> None:
    plain = outcome(7, "complete", 2.0, 4.0).to_plain()
    assert (plain["value"], plain["spread"], plain["scores"]) == (3.0, pytest.approx(2**0.5), [2.0, 4.0])
    assert outcome(7, "complete", 2.0, 4.0).score == "3.000 ± 1.414"
    assert (outcome(0, "failed").to_plain()["value"], outcome(0, "pruned", 1.0).to_plain()["spread"]) == (
        None,
        None,
    )


WORKER = """
import sys
from rnnx.core.sweeps.sweep import Sweep, run
if __name__ == "__main__":
    options = dict(name="s", trials=2, pruner="none", command="c")
    for outcome in run(Sweep.parse(sys.argv[1:], **options)):
        print(outcome.number, outcome.state, flush=True)
"""


def awaited(look: Callable[[], T | None]) -> T:
    """What it finds, as soon as there is something."""
    deadline = time.monotonic() + 120
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def worker_of(process: int) -> int | None:
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if parent == process and "spawn_main" in path.joinpath("cmdline").read_text():
                return int(path.name)
    return None


def checkpoint_in(folder: Path) -> Path | None:
    return next(folder.glob("s/trial-0000-seed-1/checkpoints/last.ckpt"), None)


@contextmanager
def sweeping(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that sweeps, and its worker, in the middle of the first trial."""
    script = folder / "script.py"
    script.write_text(WORKER)
    with subprocess.Popen(
        [sys.executable, script, *SMALL, f"out={folder}", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    ) as process:
        try:
            awaited(partial(checkpoint_in, folder))
            yield process, awaited(partial(worker_of, process.pid))
        finally:
            process.kill()


@pytest.mark.slow
def test_a_killed_workers_trial_goes_on_in_its_folder(tmp_path: Path) -> None:
    """The worker is killed in its first trial; another one takes its place, and goes on with the run."""
    words = ("cell.hidden_size=4", "optimizer.lr=loguniform:1e-4..1e-3", "trainer.max_epochs=6")
    with sweeping(tmp_path, *words) as (process, worker):
        os.kill(worker, signal.SIGKILL)
        told, complaint = process.communicate()
    assert (process.returncode, told.splitlines()) == (0, ["1 complete", "2 complete"]), complaint
    sweep = sweep_in(tmp_path, *words, trials=2, pruner="none")
    trials = sweep.open().trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert trials[1].params == trials[0].params
    assert {path.name for path in (tmp_path / "s").glob("trial*")} == {
        "trial-0000-seed-1",
        "trial-0002-seed-1",
    }
    again, _ = outcomes(sweep, sweep.open())
    assert again.folders == (tmp_path / "s" / "trial-0000-seed-1",)
    assert result(again.folders[0])["valid"][sweep.metric] == again.scores[0]
    with (again.folders[0] / "metrics.csv").open() as file:
        epochs = [row["epoch"] for row in csv.DictReader(file) if row[f"valid/{sweep.metric}"]]
    assert [int(float(epoch)) for epoch in epochs] == [0, 1, 2, 3, 4, 5]


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_waits_for_them(tmp_path: Path, signum: signal.Signals) -> None:
    words = ("cell.hidden_size=4,5", "trainer.max_epochs=100000")
    with sweeping(tmp_path, *words) as (process, worker):
        process.send_signal(signum)
        process.wait()
        awaited(lambda: None if Path(f"/proc/{worker}").exists() else True)
    sweep = sweep_in(tmp_path, *words, trials=2, pruner="none")
    left, again = sweep.open().trials
    assert (left.state, again.state) == (TrialState.FAIL, TrialState.WAITING)
    claim = sweep.open().claim()
    assert claim is not None
    assert (claim.origin, claim.trial.params) == (0, left.params)
    assert claim.trial.user_attrs["attempt"] == 1


def test_workers_that_cannot_begin_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = sweep_in(tmp_path, "cell.hidden_size=4,5")
    resource_tracker.ensure_running()  # a process of Python's, which the next test would find dead
    monkeypatch.setenv("PYTHONHOME", "/no/such/folder")
    with pytest.raises(RunError, match="no worker could begin: its process ended with exit code 1"):
        list(run(sweep, jobs=2))
    assert sweep.open().trials == []
