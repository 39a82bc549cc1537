"""The readable loop of steps: what every faster way must equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TypeAlias, final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State

Step: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]


@final
class Start(Enum):
    """What steps start from.

    Attributes:
        INPUTS: The inputs themselves, which each step projects.
        PROJECTED: What the cell's ``project`` makes of them all.
        NODES: The same, of nodes of trees, whose step is the cell's ``fold``: the state before it is that of
            their children, tensors ``(N, K, size)``, all of which there are.
    """

    INPUTS = auto()
    PROJECTED = auto()
    NODES = auto()

    @property
    def method(self) -> str:
        """The name of the cell's method that is a step."""
        return "fold" if self is Start.NODES else "step"

    def projected(self, cell: Cell, given: Tensor) -> Tensor:
        """The projected inputs, ``(M, P)``, of what steps start from."""
        return cell.project(given) if self is Start.INPUTS else given

    def stepped(self, cell: Cell, given: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, from what it starts from, ``(N, P)``, and the state before it."""
        if self is Start.NODES:
            every = torch.ones(state[0].shape[:2], dtype=torch.bool, device=given.device)
            return cell.fold(given, state, every)
        return cell.step(self.projected(cell, given), state)

    def read(self, cell: Cell, given: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
        """Makes the steps of packed sequences, as :func:`step_by_step`; of nodes, of one level, the one."""
        if self is Start.NODES:
            return self.stepped(cell, given, state)
        return step_by_step(cell.step, self.projected(cell, given), sizes, state)


def step_by_step(step: Step, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """Makes the steps of packed sequences, one after the other.

    Args:
        step: A cell's step.
        z: Projected inputs ``(M, P)``, packed as by :class:`~rnnx.core.unrolling.packing.Packing`.
        sizes: How many rows run at each step, never more than before; one step at least.
        state: The state before the first step, ``(N, size)``, of rows in order of falling length.

    Returns:
        ``y``, ``(M, output_size)``, packed as ``z``; and the state of each row after its last step.

    Example:
        >>> def add(z, state):
        ...     return state[0] + z, (state[0] + z,)
        >>> y, (last,) = step_by_step(add, torch.tensor([[1.], [2.], [3.]]), [2, 1], (torch.zeros(2, 1),))
        >>> y.flatten().tolist(), last.flatten().tolist()
        ([1.0, 2.0, 4.0], [4.0, 2.0])
    """
    outputs, finished = [], []
    running = len(state[0]) if state else sizes[0]
    for row, size in zip(z.split(list(sizes)), sizes, strict=True):
        if size < running:
            finished.append(states.select(state, slice(size, None)))
            state = states.select(state, slice(size))
            running = size
        y, state = step(row, state)
        outputs.append(y)
    return torch.cat(outputs), states.join([state, *reversed(finished)])
