from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from rnnx.core.errors import UsageError
from rnnx.core.running.checkpoints import LAST
from rnnx.core.sweeps.entries import Entry
from rnnx.core.sweeps.matrix import Matrix, run

SMALL = (
    "task=lm",
    "logger=none",
    "cell.hidden_size=4",
    "task.embedding_size=4",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
)


def sorted_run(words: list[str], jobs: int) -> list[Entry]:
    """The entries in the order of the words."""
    plan = Matrix.parse(words)
    order = [config.name for config in plan.combinations.configs]
    return sorted(run(plan, jobs), key=lambda entry: order.index(entry.folder.name))


def test_a_matrix_stays_in_the_folder_of_runs() -> None:
    with pytest.raises(UsageError, match=r"^--name: expected .* folder of runs, got '/mine'"):
        Matrix.parse(SMALL, name="/mine")


def test_a_matrix_goes_on_where_it_stopped_and_past_what_fails(tmp_path: Path) -> None:
    words = [*SMALL, f"out={tmp_path}"]
    assert [one.failure for one in run(Matrix.parse([*words, "cell=gru"]))] == [""]
    written = (tmp_path / "lm-gru-1" / "result.json").stat().st_mtime_ns
    (tmp_path / "lm-elman-1").mkdir()
    (tmp_path / "lm-elman-1" / "config.yaml").write_text("half a run")

    odd = ["cell=gru,clockwork,elman", "cell.hidden_size=4"]  # which clockwork's eight periods do not divide
    gru, clockwork, elman = sorted_run([*words, *odd], jobs=2)
    assert gru.values is not None
    assert elman.values is not None
    assert gru.values == json.loads((tmp_path / "lm-gru-1" / "result.json").read_text())
    assert (tmp_path / "lm-gru-1" / "result.json").stat().st_mtime_ns == written
    assert clockwork.values is None
    assert "multiple of 8" in clockwork.failure
    assert (tmp_path / "lm-elman-1.interrupted-1" / "config.yaml").read_text() == "half a run"
    assert elman.metric == "perplexity"
    assert {"perplexity", "loss"} <= elman.values["test"].keys()


def test_a_run_of_another_configuration_is_not_taken_for_this_one(tmp_path: Path) -> None:
    words = [*SMALL, "cell=gru", f"out={tmp_path}"]
    (first,) = run(Matrix.parse(words))
    assert first.failure == ""
    held = (tmp_path / "lm-gru-1" / "result.json").read_bytes()
    with pytest.raises(UsageError) as refused:
        list(run(Matrix.parse([*words, "net.layers=2", "seed=1,2"])))
    assert str(refused.value) == (
        f"{tmp_path / 'lm-gru-1'} holds a run of another configuration; give another out=FOLDER, or the same "
        "words (net.layers is 1 there and 2 here)"
    )
    assert (tmp_path / "lm-gru-1" / "result.json").read_bytes() == held
    assert not (tmp_path / "lm-gru-2").exists()  # nothing was run


def test_a_matched_run_is_found_again(tmp_path: Path) -> None:
    words = [*SMALL, "cell=gru", "net.match=1000", f"out={tmp_path}"]
    (first,) = run(Matrix.parse(words))
    (again,) = run(Matrix.parse(words))
    assert first.values == again.values
    assert first.failure == again.failure == ""


def test_a_matrix_may_move(tmp_path: Path) -> None:
    words = ["cell=elman", *SMALL]
    (first,) = run(Matrix.parse([*words, f"out={tmp_path / 'here'}"]))
    (tmp_path / "here").rename(tmp_path / "there")
    (again,) = run(Matrix.parse([*words, f"out={tmp_path / 'there'}"]))
    assert again.values == first.values
    assert again.failure == ""


def test_a_run_knows_its_options(tmp_path: Path) -> None:
    words = [*SMALL, "cell=gru", "net.layers=1,2", "optimizer=adam,sgd", f"out={tmp_path}"]
    found = {one.folder.name: one for one in run(Matrix.parse(words))}
    assert {name: (one.options, one.failure) for name, one in found.items()} == {
        f"lm-gru-layers={layers}-optimizer={name}-1": ({"net.layers": layers, "optimizer": name}, "")
        for layers in (1, 2)
        for name in ("adam", "sgd")
    }
    held = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/result.json")}
    again = {one.folder.name: one for one in run(Matrix.parse([*words, "net.layers=2,1"]))}
    assert again == found
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/result.json")} == held


def test_what_names_a_matrix_is_what_is_run_and_not_where() -> None:
    names = {
        Matrix.parse([*SMALL, "cell=gru,elman", *words]).name
        for words in ([], ["out=elsewhere"], ["logger=csv"], ["launcher.threads=1"])
    }
    assert len(names) == 1
    others = (["net.layers=2"], ["seed=1,2"], ["cell=gru"])
    assert len(names | {Matrix.parse([*SMALL, "cell=gru,elman", *words]).name for words in others}) == 4
    with pytest.raises(UsageError, match=r"launcher.thread: no such option of launcher 'local'"):
        Matrix.parse([*SMALL, "launcher.thread=1"])


RUN = """
import sys
from functools import partial
from rnnx.core.sweeps.matrix import Matrix, run
if __name__ == "__main__":
    command, *words = sys.argv[1:]
    for entry in run(Matrix.parse(words, command=command), say=partial(print, flush=True)):
        print(entry.folder.name, entry.failure, flush=True)
"""


WAITS = "another process runs it; waiting for its result"


def at_once(command: str, folder: Path, *words: str) -> subprocess.Popen[str]:
    """A matrix as another machine has it, of which some runs take their time."""
    script = folder / "run.py"
    if not script.exists():  # which the other one may be reading
        script.write_text(RUN)
    longer = ("task=memory", "logger=csv", "cell.hidden_size=4", f"out={folder / 'runs'}")
    return subprocess.Popen(
        [sys.executable, str(script), command, *longer, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def without_waits(told: str) -> list[str]:
    """The lines of what has ended."""
    return [line for line in told.splitlines() if not line.endswith(WAITS)]


def test_who_waits_for_another_matrix_says_for_which_run(tmp_path: Path) -> None:
    """The test has the run that it waits for."""
    locks = tmp_path / "runs" / ".locks"
    locks.mkdir(parents=True)
    lock = FileLock(locks / "memory-gru-1")
    lock.acquire()
    short = ("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    with at_once("waiting", tmp_path, "cell=gru,elman", *short) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        lock.release()
        told, complaint = process.communicate()
    assert said == f"{tmp_path / 'runs' / 'memory-gru-1'}: {WAITS}\n", complaint
    assert told.splitlines() == ["memory-gru-1 ", "memory-elman-1 "]


def test_two_share_the_runs_and_the_one_that_is_left_takes_up_what_the_other_began(tmp_path: Path) -> None:
    """Each is told of every run; one of them is killed with its worker, in the middle of a run."""
    words = ("cell=gru,elman", "seed=1,2", "trainer.max_epochs=3", "trainer.limit_train_batches=100")
    words += ("checkpoint.every_n_train_steps=10",)
    names = {f"memory-{cell}-{seed}" for cell in ("gru", "elman") for seed in (1, 2)}

    def can_be_taken_up() -> bool:
        """Whether every run that was begun has a checkpoint, and one of the two is at its second run."""
        begun = list(tmp_path.glob("runs/memory-*"))
        return len(begun) >= 3 and all((folder / LAST).exists() for folder in begun)

    lasting, dying = (at_once(command, tmp_path, *words) for command in ("lasting", "dying"))
    with lasting, dying:
        while not can_be_taken_up():
            assert dying.poll() is None
            time.sleep(0.05)
        os.killpg(dying.pid, signal.SIGKILL)
        told, complaint = lasting.communicate()
    assert lasting.returncode == 0, complaint
    assert sorted(without_waits(told)) == sorted(f"{name} " for name in names)
    runs = {path.name for path in (tmp_path / "runs").glob("memory-*")}
    assert runs == names  # none is set aside, and none was begun anew
    results = [json.loads((tmp_path / "runs" / name / "result.json").read_text()) for name in names]
    assert {values["seed"] for values in results} == {1, 2}
    for name in names:
        with (tmp_path / "runs" / name / "metrics.csv").open() as file:
            epochs = [row["epoch"] for row in csv.DictReader(file) if row["valid/loss"]]
        assert [int(float(epoch)) for epoch in epochs] == [0, 1, 2]


def test_both_are_told_of_all_that_either_ran(tmp_path: Path) -> None:
    words = ("cell=gru,elman,clockwork", "seed=1,2", "trainer.max_epochs=1")
    first, second = (at_once(command, tmp_path, *words) for command in ("first", "second"))
    with first, second:
        told = [without_waits(process.communicate()[0]) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sorted(told[0]) == sorted(told[1])
    assert [len(line.split()) > 1 for line in sorted(told[0])] == [True, True, False, False, False, False]
    done = [json.loads(path.read_text()) for path in tmp_path.glob("runs/memory-*/result.json")]
    assert sorted(values["seed"] for values in done) == [1, 1, 2, 2]
    assert {values["command"] for values in done} == {"first", "second"}


def test_two_matrices_at_once_run_what_both_have_once(tmp_path: Path) -> None:
    """Who comes second finds a folder without a result, which is no reason to go on with the run."""
    length = ("trainer.max_epochs=2", "trainer.limit_train_batches=400", "checkpoint.every_n_train_steps=10")
    first = at_once("first", tmp_path, "cell=gru", *length)
    second = at_once("second", tmp_path, "cell=gru,elman", *length)
    with first, second:
        told = [process.communicate() for process in (first, second)]
    assert [without_waits(out) for out, _ in told] == [
        ["memory-gru-1 "],
        ["memory-gru-1 ", "memory-elman-1 "],
    ]
    assert {path.name for path in tmp_path.glob("runs/memory-*")} == {"memory-gru-1", "memory-elman-1"}
    with (tmp_path / "runs" / "memory-gru-1" / "metrics.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert steps == sorted(set(steps))
