"""The processes that a run asks for, started or met."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.parallel import ParallelStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import distributed

from rnnx.core.errors import RunError, UsageError
from rnnx.core.processes import leads, rank_and_world_size
from rnnx.core.running.accelerator import accelerator
from rnnx.core.running.trainer import Trainer

PARENT: Final = "RNNX_PARENT"  # the number of the process that starts others, for them
WATCH: Final = "lightning.fabric.strategies.launchers.subprocess_script"  # says which process died


@contextmanager
def joined(trainer: Mapping[str, Any]) -> Iterator[None]:
    """Starts the processes that a run asks for, or meets those that torchrun or SLURM have started.

    Those of one machine are started by running the program again, as Lightning does: they all come to this
    line and go on from here. They stay together until the program ends.

    Args:
        trainer: The section ``trainer``; of it ``accelerator``, ``devices``, ``num_nodes`` and ``strategy``,
            and all is checked.

    Raises:
        UsageError: as :meth:`~rnnx.core.running.trainer.Trainer.check`; such processes cannot be; or others
            have been started than the section asks for.
        RunError: another process ended in the middle of the work.
    """
    try:
        Trainer(**trainer).check()
    except UsageError as refused:
        if leads():
            raise
        raise SystemExit(refused.exit_code) from None
    try:
        said = {name: trainer[name] for name in ("devices", "num_nodes", "strategy")}
        fabric = Fabric(accelerator=accelerator(trainer["accelerator"]), **said)
        _require_a_place_to_meet(fabric, trainer["num_nodes"])
        logging.getLogger(WATCH).setLevel(logging.INFO)
        with _following():
            fabric.launch()
    except (MisconfigurationException, ImportError, TypeError, ValueError) as error:
        raise UsageError(f"trainer: {' '.join(str(error).split())}") from error
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect() and environment().world_size() != fabric.world_size:
            problem = UsageError(
                f"trainer.devices: {environment().world_size()} processes were started, but trainer.devices "
                f"and trainer.num_nodes ask for {fabric.world_size}; say how many each machine has, and how "
                "many machines there are"
            )
            raise problem if leads() else SystemExit(problem.exit_code)
    try:
        yield
    except Exception as error:
        if not _lost(error):
            raise
        rank, ranks = rank_and_world_size()
        raise RunError(
            f"process {rank + 1} of {ranks}: the connection to another process is lost; the cause is what it "
            "said before it ended, or who killed it"
        ) from error


def _require_a_place_to_meet(fabric: Fabric, machines: int) -> None:
    """Refuses several machines that do not know where the others are: each would wait for half an hour."""
    strategy = fabric.strategy
    if (
        machines > 1
        and isinstance(strategy, ParallelStrategy)
        and isinstance(strategy.cluster_environment, LightningEnvironment)
        and "MASTER_ADDR" not in os.environ
    ):
        raise UsageError(
            f"trainer.num_nodes: expected 1, as nothing says where the other machines are, got {machines}; "
            "start rnnx on each of them by torchrun or SLURM"
        )


@contextmanager
def _following() -> Iterator[None]:
    """Ends this process if the one that started it dies before they meet; else it would wait half an hour."""
    met, parent = threading.Event(), os.environ.setdefault(PARENT, str(os.getpid()))

    def watch() -> None:
        while not met.wait(1.0):
            if os.getppid() != int(parent):
                os._exit(1)

    if parent != str(os.getpid()):
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        met.set()
        del os.environ[PARENT]


def _lost(error: Exception) -> bool:
    """Whether an error is that a process could not speak with another one."""
    return isinstance(error, distributed.DistError) or "gloo/transport" in str(error)
