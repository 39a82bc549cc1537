"""The processes of a run: one, or several that train one model together, on one machine or on many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast, final

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor, distributed, nn

from rnnx.core.errors import UsageError

T = TypeVar("T")

ALONE: Final = {"devices": 1, "num_nodes": 1, "strategy": "auto"}  # of the section trainer


def rank_and_world_size() -> tuple[int, int]:
    """The number of this process, from 0, and how many there are; before they meet it is alone.

    Example:
        >>> rank_and_world_size()
        (0, 1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def leads() -> bool:
    """Whether this is the process that writes and speaks for all, also before they meet.

    Example:
        >>> leads()
        True
    """
    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]
    return rank == 0


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
