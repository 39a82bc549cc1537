from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.launchers.slurm import Slurm


def slurm_in(folder: Path) -> Slurm:
    return Slurm(folder, 2, cluster="local")


def test_work_is_a_job(tmp_path: Path) -> None:
    slurm_in(tmp_path).run(
        partial(exec, f"import os; os.mkdir({str(tmp_path / 'of ')!r} + os.environ['SUBMITIT_LOCAL_JOB_ID'])")
    )
    (made,) = tmp_path.glob("of *")
    assert list((tmp_path / "jobs").glob(f"{made.name.removeprefix('of ')}*.out"))


@pytest.mark.parametrize("work", [partial(os._exit, 3), partial(int, "x")])
def test_a_job_that_does_not_end_well_is_told(tmp_path: Path, work: partial[None]) -> None:
    with pytest.raises(Exception, match=r"[Jj]ob"):
        slurm_in(tmp_path).run(work)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Programs started here can be interrupted, even if this one runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_jobs_can_be_stopped(tmp_path: Path) -> None:
    launcher = slurm_in(tmp_path)
    raised = []

    def run() -> None:
        program = f"import os, time; os.mkdir({str(tmp_path / 'here')!r}); time.sleep(600)"
        try:
            launcher.run(partial(exec, program))
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not (tmp_path / "here").exists():
        time.sleep(0.05)
    launcher.stop()
    thread.join()
    assert len(raised) == 1


def test_what_a_job_needs_is_said_to_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By submitit, to a cluster whose ``sbatch`` keeps what it is given and refuses it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("srun", "sbatch"):
        (programs / name).write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/submitted\necho no >&2\nexit 1\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    launcher = Slurm(
        tmp_path,
        2,
        minutes=30,
        cpus=2,
        gpus=1,
        memory=4.0,
        partition="short",
        parameters={"slurm_qos": "low"},
    )
    with pytest.raises(Exception, match="no"):
        launcher.run(partial(int))
    submitted = (tmp_path / "submitted").read_text()
    for option in ("time=30", "cpus-per-task=2", "gpus-per-node=1", "mem=4GB", "partition=short", "qos=low"):
        assert f"#SBATCH --{option}\n" in submitted


def test_without_a_cluster_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"launcher.cluster: .*srun"):
        Slurm(tmp_path, 1, cluster="slurm")


def test_without_submitit_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)  # as Python has it for what cannot be imported
    with pytest.raises(UsageError, match=r"pip install 'rnnx-core\[slurm\]'"):
        slurm_in(tmp_path)


@pytest.mark.slow
def test_a_sweep(tmp_path: Path) -> None:
    words = ["task=memory", "logger=none", "cell.hidden_size=int:3..5", "trainer.max_epochs=1"]
    words += [f"trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
    options = ["--trials", "3", "--jobs", "2", "--launcher", "slurm", "launcher.cluster=local", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "rnnx.cli", "sweep", *words, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [trial["state"] for trial in json.loads(done.stdout)["trials"]] == ["complete"] * 3
    assert len(list((tmp_path / "runs" / "memory-sweep" / "jobs").glob("*_log.out"))) == 2
