"""Several cells a step: deep transitions (Pascanu, Gulcehre, Cho & Bengio 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast, final

from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class DeepTransition(Cell):
    """Cells of one state that take turns within each step, the input going to the first.

    Each cell after the first reads the output of the one before and carries its state on. The state and the
    output of the step are the last one's.

    Args:
        cells: The first reads the input, the others what the one before gives; their states have one form.

    Raises:
        ValueError: the cells do not fit each other.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        super().__init__()
        for before, cell in pairwise(cells):
            if (cell.input_size, cell.state_sizes) != (before.output_size, before.state_sizes):
                raise ValueError(
                    f"a cell gives {before.output_size} features with a state {before.state_sizes}, and the "
                    f"next reads {cell.input_size} with {cell.state_sizes}"
                )
        self.cells = cast("Sequence[Cell]", nn.ModuleList(cells))
        self.input_size, self.output_size = cells[0].input_size, cells[-1].output_size
        self.state_sizes = cells[0].state_sizes

    def project(self, x: Tensor) -> Tensor:
        return self.cells[0].project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self._rest(*self.cells[0].step(z, state))

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        return self._rest(*self.cells[0].fold(z, children, mask))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.cells[0].initial_state(batch, like)

    def _rest(self, y: Tensor, state: State) -> tuple[Tensor, State]:
        for cell in self.cells[1:]:
            y, state = cell.step(cell.project(y), state)
        return y, state
