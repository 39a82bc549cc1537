from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnx.core.errors import Interrupted
from rnnx.core.running.interruption import Interruption, requeue

SLURM = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "mine", "SLURM_JOB_ID": "77"}


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell that runs this in the background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_where_nothing_would_be_lost_a_signal_stops_at_once(signum: int) -> None:
    with Interruption(), pytest.raises(Interrupted) as stop:
        signal.raise_signal(signum)
    assert stop.value.exit_code == 128 + signum
    assert str(stop.value) == signal.Signals(signum).name


def test_between_two_steps_the_first_waits_and_the_second_stops() -> None:
    with Interruption() as interruption:
        interruption.patient = True
        assert interruption.received is None
        signal.raise_signal(signal.SIGTERM)
        assert interruption.received == signal.SIGTERM
        with pytest.raises(Interrupted, match="SIGINT"):
            signal.raise_signal(signal.SIGINT)


def test_no_net_for_ordinary_errors_catches_it() -> None:
    assert not issubclass(Interrupted, Exception)


def test_afterwards_signals_do_what_they_did() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_takes_the_signals_back_from_others() -> None:
    with Interruption() as interruption:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interruption.install()
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)


def test_in_another_thread_it_leaves_signals_alone() -> None:
    found = []

    def enter() -> None:
        with Interruption():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [before]


def test_slurms_warning_is_a_signal_only_in_a_job_of_slurms(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Interruption():
        assert signal.getsignal(signal.SIGUSR1) == before
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    with Interruption() as interruption:
        interruption.patient = True
        signal.raise_signal(signal.SIGUSR1)
        assert interruption.received == signal.SIGUSR1


@pytest.mark.parametrize(
    ("environment", "job"),
    [
        ({"SLURM_JOB_ID": "77"}, "77"),
        ({"SLURM_JOB_ID": "78", "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3"}, "77_3"),
    ],
)
def test_a_job_is_requeued_by_its_number(
    environment: dict[str, str], job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    requeue()
    assert (tmp_path / "asked").read_text() == f"requeue {job}\n"


def test_what_is_no_job_is_not_given_to_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "--version; ls")
    with pytest.warns(UserWarning, match="SLURM_JOB_ID: expected a number, got '--version; ls'"):
        requeue()


def test_without_slurms_program_it_is_said(tmp_path: Path) -> None:
    program = "from rnnx.core.running.interruption import requeue; requeue()"
    environment = {"SLURM_JOB_ID": "7", "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert "the job could not be requeued" in done.stderr
    assert "scontrol" in done.stderr
