"""Parts of the state that stay as they were (Krueger et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class Zoneout(Cell):
    """A cell parts of whose state, drawn anew at each step, stay as they were (Krueger et al. 2016).

    In training each number of a state tensor keeps its value of the step before with the tensor's rate; in
    evaluation the tensor is the expectation, ``rate old + (1 - rate) new``. An output that is a tensor of the
    state, so the same object (see :meth:`Cell.step`), is that tensor after zoneout. At a tree's node the old
    value is the mean of the children's.

    Args:
        cell: The cell.
        rates: One for each tensor of the state.
    """

    def __init__(self, cell: Cell, rates: Sequence[float]) -> None:
        super().__init__()
        self.cell, self.rates = cell, tuple(rates)
        self.input_size, self.output_size = cell.input_size, cell.output_size
        self.state_sizes, self.bookkeeping = cell.state_sizes, cell.bookkeeping

    def project(self, x: Tensor) -> Tensor:
        return self.cell.project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self._mixed(state, *self.cell.step(z, state))

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        count = mask.sum(1, keepdim=True).clamp(min=1)  # (N, 1)
        before = tuple(child.sum(1) / count for child in states.present(children, mask))
        return self._mixed(before, *self.cell.fold(z, children, mask))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.cell.initial_state(batch, like)

    def _mixed(self, before: State, y: Tensor, after: State) -> tuple[Tensor, State]:
        mixed = tuple(map(self._mix, before, after, self.rates))
        return next((kept for kept, new in zip(mixed, after, strict=True) if new is y), y), mixed

    def _mix(self, old: Tensor, new: Tensor, rate: float) -> Tensor:
        if self.training:
            return torch.where(torch.empty_like(new, dtype=torch.bool).bernoulli_(rate), old, new)
        return rate * old + (1 - rate) * new
