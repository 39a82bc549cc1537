"""Runs of several processes, as a user starts them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rnnx.core.registry import plugins

RUN = (sys.executable, "-m", "rnnx.cli", "run")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
SMALL = (
    "task=memory",
    "cell=gru",
    "cell.hidden_size=8",
    "data.train=64",
    "data.valid=8",
    "data.test=9",
    "data.batch_size=4",
    "logger=csv",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
)
TWO = ("trainer.devices=2", "trainer.strategy=ddp")
FAILING = """
import os, sys
import lightning as L
from rnnx.core.errors import InputError
from rnnx.core.experiment import Experiment
from rnnx.core.processes import rank_and_world_size

class Fails(L.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (batch_idx, rank_and_world_size()[0]) == (3, int(sys.argv[1])):
            raise InputError("news.txt", "not UTF-8", 7)

Experiment.from_words(*sys.argv[2:]).run(callbacks=[Fails()])
"""


def differences(*names: str) -> dict[str, tuple[float, float]]:
    """What ``one_against_two.py`` prints: how far losses and metrics are apart, by task."""
    program = Path(__file__).with_name("one_against_two.py")
    done = subprocess.run([sys.executable, program, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    return {name: (float(loss), float(metric)) for name, _, loss, _, metric, _ in cells[2:]}


def started(
    words: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*words, f"out={folder}"], env={**os.environ, **(environment or {})}, **pipes)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def values(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "result.json").read_text(encoding="utf-8")))


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def only_child(process: subprocess.Popen[str]) -> int:
    """The number of the process that another one starts."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        assert process.poll() is None, ended(process)
        time.sleep(0.05)
    return int(found[0])


def is_there(number: int) -> bool:
    """Whether a process runs; one that has ended and was not yet asked for does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process measures, with the batches of two."""
    folder = tmp_path_factory.mktemp("alone")
    status, _, err = ended(started([*RUN, *SMALL, "name=one", "data.batch_size=8"], folder))
    assert (status, err.count("\n")) == (0, 1), err
    return values(folder / "one")


def test_two_processes_train_and_measure_as_one() -> None:
    ((loss, metric),) = differences("nmt").values()
    assert loss < 1e-5
    assert metric < 1e-5


@pytest.mark.slow
def test_every_task_is_the_same_with_two_processes() -> None:
    found = differences()
    assert {plugin.name for plugin in plugins("task")} == {name.partition(",")[0] for name in found}
    assert {name: apart for name, apart in found.items() if not (apart[0] < 1e-5 and apart[1] < 1e-5)} == {}


@pytest.mark.slow
def test_there_is_one_run_and_all_is_said_once(tmp_path: Path, alone: dict[str, Any]) -> None:
    script = shutil.which("rnnx", path=str(Path(sys.executable).parent))
    assert script is not None
    status, out, err = ended(started([script, "run", *SMALL, *TWO], tmp_path))
    assert status == 0, err
    assert err.count("\n") == err.count("epoch 1") == 1
    assert out.count("use it") == 1
    (run,) = tmp_path.iterdir()
    assert (run / "metrics.csv").read_text().count("\n") == 1 + 8 + 1 + 1  # a header, steps, validation, test
    with (run / "metrics.csv").open(newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    said = float(err.partition("train loss ")[2].partition(",")[0])
    assert said == pytest.approx(sum(losses) / 8, rel=1e-3)  # each of eight examples
    found = values(run)
    assert found["test"] == pytest.approx(alone["test"], rel=1e-6)
    assert found["valid"] == pytest.approx(alone["valid"], rel=1e-6)

    again = subprocess.run([script, "test", run, "--json"], capture_output=True, text=True)
    assert json.loads(again.stdout) == pytest.approx(found["test"], rel=1e-6)


@pytest.mark.slow
def test_two_machines_are_two_launchers(tmp_path: Path, alone: dict[str, Any]) -> None:
    meeting = ("--master-addr", "127.0.0.1", "--master-port", free_port(), "--nnodes", "2")
    words = ("-m", "rnnx.cli", "run", *SMALL, "trainer.num_nodes=2", "name=two")
    nodes = [started([*TORCHRUN, *meeting, "--node-rank", rank, *words], tmp_path) for rank in "01"]
    (status, out, err), (other_status, other_out, other_err) = map(ended, nodes)
    assert (status, other_status) == (0, 0), err + other_err
    assert out.count("use it") == 1
    assert "rnnx" not in other_out + other_err
    assert values(tmp_path / "two")["test"] == pytest.approx(alone["test"], rel=1e-6)


@pytest.mark.slow
def test_slurm_starts_the_processes(tmp_path: Path, alone: dict[str, Any]) -> None:
    job = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": free_port(),
    }
    tasks = [
        started(
            [*RUN, *SMALL, *TWO, "name=two"], tmp_path, job | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}
        )
        for rank in "01"
    ]
    (status, out, err), (other_status, *said) = map(ended, tasks)
    assert (status, other_status) == (0, 0), err
    assert out.count("use it") == 1
    assert said == ["", ""]
    assert values(tmp_path / "two")["test"] == pytest.approx(alone["test"], rel=1e-6)


@pytest.mark.slow
def test_an_error_of_all_is_said_once_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    status, out, err = ended(started([*RUN, *SMALL, *TWO, "name=there"], tmp_path))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("rnnx: name: the run folder ")

    status, out, err = ended(started([*RUN, *SMALL, *TWO, "data.test=1", "name=few"], tmp_path))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("rnnx: data: 1 examples of a split cannot be shared by 2 processes")

    asked = [
        *TORCHRUN,
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "rnnx.cli",
        "run",
        *SMALL,
        "name=wrong",
    ]
    status, out, err = ended(started(asked, tmp_path))
    assert (status, out) == (1, "")  # torchrun's own status
    assert err.count("rnnx: ") == err.count("2 processes were started, but trainer.devices and") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.slow
def test_a_run_of_one_process_stays_as_it_is_where_two_would_go_on_with_it(tmp_path: Path) -> None:
    status, _, err = ended(started([*RUN, *SMALL, "name=one"], tmp_path))
    assert status == 0, err
    before = {path: path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()}
    words = ["resume", str(tmp_path / "one"), "trainer.devices=2", "trainer.max_epochs=2"]
    done = subprocess.run([sys.executable, "-m", "rnnx.cli", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "rnnx: trainer.devices: expected 1, as many processes as the run began with, got 2; start another "
        "run with rnnx run\n"
    )
    assert {path: path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()} == before


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A long run in the middle of its training, and the number of its second process."""
    leader = started([*RUN, *SMALL, *TWO, "data.train=100_000", "name=long"], tmp_path)
    second = only_child(leader)
    try:
        history = tmp_path / "long" / "metrics.csv"
        while not (history.exists() and history.read_text().count("\n") > 5):
            assert leader.poll() is None, ended(leader)
            time.sleep(0.2)
        yield leader, second
    finally:
        for number in filter(is_there, (second, leader.pid)):
            os.kill(number, signal.SIGKILL)
        leader.wait()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["leader", "other"])
def test_a_process_that_is_killed_ends_the_others(
    running: tuple[subprocess.Popen[str], int], who: str
) -> None:
    leader, second = running
    os.kill(leader.pid if who == "leader" else second, signal.SIGKILL)
    status, _, err = ended(leader)
    assert status == (-signal.SIGKILL if who == "leader" else 1)
    assert f"process {2 if who == 'leader' else 1} of 2: the connection to another process is lost" in err
    deadline = time.monotonic() + 60
    while is_there(second):
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_ends_the_others(rank: int, tmp_path: Path) -> None:
    program = tmp_path / "failing.py"
    program.write_text(FAILING)
    status, _, err = ended(
        started([sys.executable, str(program), str(rank), *SMALL, *TWO], tmp_path / "runs")
    )
    assert status == 1 or (rank == 1 and status == -signal.SIGKILL)  # Lightning kills who does not end in 5 s
    assert "InputError: news.txt:7: not UTF-8" in err
    assert f"process {2 - rank} of 2: the connection to another process is lost" in err


@pytest.mark.slow
def test_who_waits_for_a_leader_that_died_does_not_wait_long(tmp_path: Path) -> None:
    leader = started([*RUN, *SMALL, *TWO], tmp_path)
    second = only_child(leader)
    leader.kill()
    deadline = time.monotonic() + 600  # it imports torch first; torch itself would wait half an hour
    try:
        while is_there(second):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        if is_there(second):
            os.kill(second, signal.SIGKILL)
    assert ended(leader)[0] == -signal.SIGKILL


@pytest.mark.slow
def test_two_processes_find_one_learning_rate(tmp_path: Path) -> None:
    words = ["find-lr", *SMALL, *TWO, "--steps", "20", "--json"]
    done = subprocess.run([sys.executable, "-m", "rnnx.cli", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["rates"]) >= 20  # one document, of the process that speaks
