"""Workers that share the trials of a study, each in a process of its own; who dies is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

from optuna.trial import TrialState

from rnnx.core.errors import Interrupted, RunError
from rnnx.core.launchers.launcher import Launcher
from rnnx.core.running.interruption import Interruption
from rnnx.core.sweeps.study import Claim, Study

POLL: Final = 1.0  # seconds between two looks at what has ended


def at_work(study: Study, launcher: Launcher, work: Callable[[], None], workers: int) -> Iterator[None]:
    """Has workers work until each of them finds nothing more to do.

    Args:
        study: What they share.
        launcher: What starts them.
        work: What each does; it can be pickled.
        workers: How many there are at once.

    Yields:
        Every second, and once more when all have ended.

    Raises:
        RunError: every one of them died before it began anything.
    """
    stopped = threading.Event()
    with Interruption(), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_keep_working, study, launcher, work, stopped) for _ in range(workers)]
        try:
            while wait(futures, timeout=POLL).not_done:
                yield
        finally:
            stopped.set()
            launcher.stop()
    yield
    failures = [error for future in futures if (error := future.exception())]
    if len(failures) == workers:
        raise failures[0]


def take_turns(study: Study, tried: Callable[[Claim], tuple[float | None, TrialState]]) -> None:
    """Works on one trial of a study after the other until none is left; what a worker does.

    Args:
        study: It.
        tried: What is done with a trial: its value, and what became of it.

    Raises:
        Interrupted: a signal came; the trial is left to others, or to a later time.
    """
    while (claim := study.claim()) is not None:
        try:
            value, state = tried(claim)
        except Interrupted:
            study.put_back(claim)
            raise
        study.tell(claim, value, state)


def _keep_working(
    study: Study, launcher: Launcher, work: Callable[[], None], stopped: threading.Event
) -> None:
    """A worker, and another one when it dies, unless it died before it began anything."""
    while not stopped.is_set():
        begun = _begun(study)
        try:
            launcher.run(work)
        except Exception as error:
            if not stopped.is_set() and _begun(study) == begun:
                raise RunError(f"no worker could begin: {error}") from error
        else:
            return


def _begun(study: Study) -> int:
    return sum(trial.state != TrialState.WAITING for trial in study.trials)
