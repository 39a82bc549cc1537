"""Workers as processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import final

from rnnx.core.bounds import Count
from rnnx.core.errors import Interrupted, RunError
from rnnx.core.launchers.launcher import Launcher
from rnnx.core.running.cores import share_cores, take_gpu


@final
class Local(Launcher):
    """This machine; of several GPUs each worker has one.

    Args:
        threads: Of each worker; 0 for its share of the cores.
    """

    def __init__(self, folder: Path, jobs: int, *, threads: Count = 0) -> None:
        super().__init__(folder, jobs)
        self.threads = threads
        self._turn = threading.Lock()
        self._stopped = False
        self._processes: set[SpawnProcess] = set()
        self._numbers = SimpleQueue[int]()  # of workers that there are not at the moment
        for number in range(jobs):
            self._numbers.put(number)

    def run(self, work: Callable[[], None]) -> None:
        number = self._numbers.get()
        process = get_context("spawn").Process(target=_work, args=(work, number, self.jobs, self.threads))
        with self._turn:
            if self._stopped:
                raise RunError("the workers were stopped before it began")
            with _deaf_to_ctrl_c():
                process.start()
            self._processes.add(process)
        process.join()
        self._processes.remove(process)
        self._numbers.put(number)
        if process.exitcode:
            raise RunError(_reason(process.exitcode))

    def stop(self) -> None:
        with self._turn:
            self._stopped = True
        for process in tuple(self._processes):
            process.terminate()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Has processes that are started by this thread not hear it, from their first breath."""
    resource_tracker.ensure_running()  # which would let the thread hear it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(work: Callable[[], None], number: int, jobs: int, threads: int) -> None:
    """Works, for as long as the process lives that waits for it; Ctrl-C is meant for that one."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    threading.Thread(target=_follow_the_parent, daemon=True).start()
    take_gpu(number)
    if threads:
        torch.set_num_threads(threads)
    else:
        share_cores(jobs)
    try:
        work()
    except Interrupted as stop:
        sys.exit(stop.exit_code)


def _follow_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _reason(exitcode: int) -> str:
    """Why a process ended.

    Example:
        >>> _reason(-9), _reason(1)
        ('its process was ended by SIGKILL', 'its process ended with exit code 1')
    """
    if exitcode < 0:
        return f"its process was ended by {signal.Signals(-exitcode).name}"
    return f"its process ended with exit code {exitcode}"
