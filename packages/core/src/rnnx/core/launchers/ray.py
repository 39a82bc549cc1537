"""Workers as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

from rnnx.core.bounds import NonNegative, Positive
from rnnx.core.errors import UsageError
from rnnx.core.launchers.launcher import Launcher

PATIENCE: Final = 60.0  # seconds that workers have to write a checkpoint


@final
class Ray(Launcher):
    """A cluster of Ray's (https://docs.ray.io); all its machines have rnnx and see the sweep's folder.

    Args:
        address: Of the cluster, such as auto or ray://HOST:10001; without it one is started on this machine,
            unless ``RAY_ADDRESS`` says one.
        cpus: Cores of each worker.
        gpus: GPUs of each worker; a fraction shares one.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int,
        *,
        address: str | None = None,
        cpus: Positive = 1,
        gpus: NonNegative = 0.0,
    ) -> None:
        super().__init__(folder, jobs)
        try:
            import ray
        except ImportError:
            raise UsageError("--launcher: ray needs its library; pip install 'rnnx-core[ray]'") from None
        self._ray: Any = ray
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError) as error:
            raise UsageError(f"launcher.address: Ray says: {error}") from error
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_work)
        self._tasks: set[Any] = set()

    def run(self, work: Callable[[], None]) -> None:
        task = self._task.remote(work, Path.cwd())
        self._tasks.add(task)
        try:
            self._ray.get(task)
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            self._ray.cancel(task)
        self._ray.wait(tasks, num_returns=len(tasks), timeout=PATIENCE)
        self._ray.shutdown()


def _work(work: Callable[[], None], folder: Path) -> None:
    """Works in the folder from where the sweep was started."""
    os.chdir(folder)
    work()
