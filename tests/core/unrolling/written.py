"""A cell whose step a test writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State

P, H = 3, 4


@final
class Written(Cell):
    """A step that a test writes, with three matrices."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self, function: Callable[..., tuple[Tensor, State]]) -> None:
        super().__init__()
        self.input, self.recurrent, self.output = nn.Linear(P, H), nn.Linear(H, H), nn.Linear(H, H)
        self.function = function

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self.function(self, z, *state)


def elman(cell: Any, z: Tensor, h: Tensor) -> tuple[Tensor, State]:
    h = torch.tanh(cell.input(z) + cell.recurrent(h))
    return cell.output(h), (h,)


def given_to(cell: Cell, rows: int, steps: int = 1, learns: bool = True) -> tuple[Tensor, State]:
    z = torch.randn(rows * steps, P, requires_grad=learns)
    return z, tuple(torch.randn(rows, size, requires_grad=learns) for size in cell.state_sizes)
