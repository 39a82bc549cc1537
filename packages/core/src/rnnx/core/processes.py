"""The processes of a run: one, or several that train one model together, on one machine or on many."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast, final

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor, distributed, nn

from rnnx.core.errors import RunError, UsageError
from rnnx.core.running.accelerator import accelerator
from rnnx.core.running.trainer import Trainer

T = TypeVar("T")

ALONE: Final = {"devices": 1, "num_nodes": 1, "strategy": "auto"}  # of the section trainer
PARENT: Final = "RNNX_PARENT"  # the number of the process that starts others, for them
WATCH: Final = "lightning.fabric.strategies.launchers.subprocess_script"  # says which process died


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are; before :func:`joined` it is alone.

    Example:
        >>> rank_and_world_size()
        (0, 1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def leads() -> bool:
    """Whether this is the process that writes and speaks for all, also before they are :func:`joined`.

    Example:
        >>> leads()
        True
    """
    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]
    return rank == 0


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


@contextmanager
def together() -> Iterator[None]:
    """What all processes do: where one fails all end, and the first of those that failed says why.

    Raises:
        SystemExit: another process failed; with the exit code of its error.

    Example:
        >>> with together():
        ...     int("four")
        Traceback (most recent call last):
        ValueError: invalid literal for int() with base 10: 'four'
    """
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    codes = gather(None if error is None else getattr(error, "exit_code", 1))
    failed = [rank for rank, code in enumerate(codes) if code is not None]
    if not failed:
        return
    if error is not None and failed[0] == rank_and_world_size()[0]:
        raise error
    raise SystemExit(codes[failed[0]])


def from_leader(make: Callable[[], T]) -> T:
    """What one process makes for all; it alone calls ``make``.

    Args:
        make: Its result can be pickled.

    Raises:
        SystemExit: as :func:`together`.

    Example:
        >>> from_leader(lambda: 3)
        3
    """
    made: list[T | None] = [None]
    with together():
        if rank_and_world_size()[0] == 0:
            made = [make()]
    if rank_and_world_size()[1] > 1:
        distributed.broadcast_object_list(made)
    return cast("T", made[0])


def gather(value: T) -> list[T]:
    """The value of each process, in their order, on all of them.

    Example:
        >>> gather("mine")
        ['mine']
    """
    _, ranks = rank_and_world_size()
    values = [value] * ranks
    if ranks > 1:
        distributed.all_gather_object(values, value)
    return values


def summed(*values: Tensor) -> tuple[Tensor, ...]:
    """The sums of scalars over all processes, on all of them; without a graph.

    Args:
        *values: Scalars; the first says on which device the sums are made, and all get its type.

    Example:
        >>> summed(torch.tensor(1.5), torch.tensor(2))
        (tensor(1.5000), tensor(2))
    """
    if rank_and_world_size()[1] == 1:
        return values
    first = values[0]
    sums = torch.stack([value.detach().to(first.device, torch.float64) for value in values])
    distributed.all_reduce(sums)
    return tuple(sums.to(first.dtype).unbind())


def using(total: Tensor, parameters: Iterable[nn.Parameter]) -> Tensor:
    """A loss that all parameters are used for: those that it does not depend on get no other gradient.

    Else DistributedDataParallel, which waits for the gradient of every parameter, would wait in vain, as
    where the share of this process has not a single real step.

    Args:
        total: A loss, a scalar.
        parameters: Those of the model.

    Returns:
        The same number.
    """
    return _Using.apply(total, *parameters)  # type: ignore[no-untyped-call]


@final
class _Using(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, total: Tensor, *parameters: Tensor) -> Tensor:
        ctx.parameters = len(parameters)
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients + (None,) * ctx.parameters


def largest(value: int) -> int:
    """The largest of the processes' numbers, on all of them.

    Example:
        >>> largest(3)
        3
    """
    if rank_and_world_size()[1] == 1:
        return value
    device = "cuda" if distributed.get_backend() == distributed.Backend.NCCL else "cpu"
    number = torch.tensor(value, device=device)
    distributed.all_reduce(number, distributed.ReduceOp.MAX)
    return int(number)


def shareable(examples: int) -> None:
    """Sees to it that each process has an example.

    Raises:
        UsageError: there are fewer examples than processes.
    """
    _, ranks = rank_and_world_size()
    if ranks > 1 and examples < ranks:
        raise UsageError(
            f"data: {examples} examples of a split cannot be shared by {ranks} processes; give more of them, "
            "or take fewer processes (trainer.devices, trainer.num_nodes)"
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
