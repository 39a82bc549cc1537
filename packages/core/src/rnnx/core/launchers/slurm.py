"""Workers as jobs of a SLURM cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, final

from rnnx.core.bounds import AboveZero, Count, Positive
from rnnx.core.errors import UsageError
from rnnx.core.launchers.launcher import Launcher


@final
class Slurm(Launcher):
    """A SLURM cluster, by submitit; its machines see the sweep's folder, whose ``jobs/`` has their output.

    Args:
        cluster: What submitit submits to; slurm where there is one, and else local, which is this machine.
        minutes: Time of each job; when it is up, another one goes on.
        cpus: Cores of each job.
        gpus: GPUs of each job.
        memory: Gigabytes of each job; the cluster's default if not said.
        partition: The partition; the cluster's default if not said.
        parameters: More of submitit's parameters, such as {slurm_account: mine}.
    """

    def __init__(
        self,
        folder: Path,
        jobs: int,
        *,
        cluster: Literal["slurm", "local"] | None = None,
        minutes: Positive = 1440,
        cpus: Positive = 1,
        gpus: Count = 0,
        memory: AboveZero | None = None,
        partition: str | None = None,
        parameters: dict[str, str] | None = None,
    ) -> None:
        super().__init__(folder, jobs)
        try:
            import submitit
        except ImportError:
            raise UsageError("--launcher: slurm needs submitit; pip install 'rnnx-core[slurm]'") from None
        said: dict[str, Any] = {"mem_gb": memory, "slurm_partition": partition}
        try:
            self._executor = submitit.AutoExecutor(folder / "jobs", cluster)
        except RuntimeError as error:
            raise UsageError(f"launcher.cluster: submitit says: {error}") from error
        self._executor.update_parameters(
            name="rnnx",
            timeout_min=minutes,
            cpus_per_task=cpus,
            gpus_per_node=gpus,
            **{name: value for name, value in said.items() if value is not None},
            **(parameters or {}),
        )
        self._turn = threading.Lock()
        self._jobs: set[submitit.Job[None]] = set()

    def run(self, work: Callable[[], None]) -> None:
        with self._turn:
            job = self._executor.submit(work)
            self._jobs.add(job)
        job.result()

    def stop(self) -> None:
        for job in self._jobs:
            if not job.done():
                job.cancel()
