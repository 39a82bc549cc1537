"""What a cell gives by its plan next to what it gives step by step."""

from __future__ import annotations

import warnings
from abc import ABC
from typing import Any

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.plans import plan_of

N, T, P, H = 4, 5, 3, 4
LENGTHS = torch.tensor([5, 3, 1, 3])


class Elman(Cell, ABC):
    """Elman's network; each test makes a class of its own of it, as what is found is kept by class."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, H), nn.Linear(H, H)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.input(z) + self.recurrent(state[0]))
        return h, (h,)


def given_to(cell: Cell) -> tuple[Tensor, State]:
    x = torch.randn(N, T, cell.input_size, requires_grad=True)
    return x, tuple(torch.randn(N, size, requires_grad=True) for size in cell.state_sizes)


def results(way: Any, cell: Cell, x: Tensor, state: State, lengths: Tensor | None = LENGTHS) -> list[Tensor]:
    """The outputs and all gradients."""
    y, last = way(cell, x, lengths, state)
    of = [tensor for tensor in (x, *state, *cell.parameters()) if tensor.requires_grad]
    ends = [end for end in (y, *last) if end.requires_grad]
    end = torch.stack([(o * torch.linspace(-1, 1, o.numel()).view(o.shape)).sum() for o in ends]).sum()
    return [y, *last, *torch.autograd.grad(end, of, allow_unused=True, materialize_grads=True)]


def same(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12, equal_nan=True)


def as_the_loop(cell: Cell, given: tuple[Tensor, State] | None = None) -> None:
    x, state = given or given_to(cell)
    same(results(scan, cell, x, state), results(loop, cell, x, state))


def plan_for(cell: Cell) -> Plan | None:
    x, state = given_to(cell)
    return plan_of(cell, x[:, 0], state)


def warned(cell: Cell, given: tuple[Tensor, State] | None = None) -> list[str]:
    """What is said of a cell that is run twice, its results being those of the loop."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        as_the_loop(cell, given)
        as_the_loop(cell, given)
    return [str(warning.message) for warning in said]
