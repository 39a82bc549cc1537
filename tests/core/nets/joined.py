"""A stranger's cell, whose matrices have odd heights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State

I, H = 3, 8  # noqa: E741


class Joined(Cell):
    """A state and an input in one product; the state starts as it learns, and the output is a product too."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = I, 2, (H, 5)
        self.joined, self.output = nn.Linear(I + H, H), nn.Linear(H, 2)
        self.second, self.idle = nn.Linear(5, 5, bias=False), nn.Linear(4, 4)
        self.start, self.cube = nn.Parameter(torch.randn(1, H)), nn.Parameter(torch.randn(2, 2, 2))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, other = state
        h = torch.tanh(self.joined(torch.cat((z, h), -1)))
        return self.output(h), (h, torch.sin(self.second(other)))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.start.expand(batch, -1), like.new_zeros(batch, 5)
