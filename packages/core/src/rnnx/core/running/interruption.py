"""What stops a run from outside: Ctrl-C, SIGTERM, and SLURM's warning that the time is up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import warnings
from types import FrameType
from typing import Any, final

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from rnnx.core.errors import Interrupted, RunWarning


@final
class Interruption:
    """Signals, as something that is asked for where a run can stop.

    Between two steps of training the first signal waits until it is asked for; a second one, and any signal
    where nothing would be lost, raises :class:`~rnnx.core.errors.Interrupted` at once. A signal that is
    ignored, as shells have it for SIGINT in the background, stays ignored.

    Attributes:
        patient: Whether the first signal waits.
        received: The signal that waits.

    Example:
        >>> with Interruption() as interruption:
        ...     interruption.patient = True
        ...     signal.raise_signal(signal.SIGTERM)
        ...     interruption.received == signal.SIGTERM
        True
    """

    def __init__(self) -> None:
        self.patient = False
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self._before = {signum: signal.getsignal(signum) for signum in _signals()}
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        if _is_main_thread():
            for signum, handler in self._before.items():
                signal.signal(signum, handler)

    def install(self) -> None:
        """Takes the signals, from Lightning too, which would exit with 0 on SIGTERM."""
        if _is_main_thread():
            for signum, before in self._before.items():
                if before != signal.SIG_IGN:
                    signal.signal(signum, self._handle)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None or not self.patient:
            raise Interrupted(signum)
        self.received = signum


def job() -> str | None:
    """The number of the job of SLURM's that this is; None where it is none."""
    return os.environ.get("SLURM_JOB_ID") if SLURMEnvironment.detect() else None


def is_requeued() -> bool:
    """Whether SLURM has started this job before."""
    return job() is not None and os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def requeue() -> None:
    """Asks SLURM to start the job again, as Lightning does; the job's command then goes on with its run."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if not re.fullmatch("[0-9_-]+", job):
        problem = f"SLURM_JOB_ID: expected a number, got {job!r}; the job is not requeued"
        warnings.warn(problem, RunWarning, stacklevel=2)
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"the job could not be requeued: {error}", RunWarning, stacklevel=2)


def _signals() -> list[int]:
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if job() else [])]


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
