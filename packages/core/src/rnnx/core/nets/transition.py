"""Several cells a step: deep transitions (Pascanu, Gulcehre, Cho & Bengio 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast, final

from torch import Tensor, nn

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class DeepTransition(Cell):
    """Cells of one state that take turns within each step, the input going to the first.

    Each cell after the first reads the output of the one before and carries its memory on. The memory and the
    output of the step are the last one's. What a cell keeps account of (:attr:`Cell.bookkeeping`) is its own:
    the first one's stands where it has it, that of the others after it.

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
        first, *others = cells
        self.input_size, self.output_size = first.input_size, cells[-1].output_size
        accounts = [tuple(cell.state_sizes[place] for place in cell.bookkeeping) for cell in others]
        self.state_sizes = sum(accounts, first.state_sizes)
        self.counts = len(first.state_sizes), *map(len, accounts)
        self.bookkeeping = (*first.bookkeeping, *range(self.counts[0], len(self.state_sizes)))

    def project(self, x: Tensor) -> Tensor:
        return self.cells[0].project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        own, *accounts = states.split(state, self.counts)
        return self._rest(*self.cells[0].step(z, own), accounts)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        own, *accounts = states.split(children, self.counts)
        summed = [tuple(child.sum(1) for child in states.present(account, mask)) for account in accounts]
        return self._rest(*self.cells[0].fold(z, own, mask), summed)

    def initial_state(self, batch: int, like: Tensor) -> State:
        own, *others = (cell.initial_state(batch, like) for cell in self.cells)
        return sum(map(_account, self.cells[1:], others), own)

    def _rest(self, y: Tensor, state: State, accounts: Sequence[State]) -> tuple[Tensor, State]:
        """The turns after the first."""
        first = _account(self.cells[0], state)
        kept: State = ()
        for cell, account in zip(self.cells[1:], accounts, strict=True):
            y, state = cell.step(cell.project(y), _with_account(cell, state, account))
            kept += _account(cell, state)
        return y, _with_account(self.cells[0], state, first) + kept


def _account(cell: Cell, state: State) -> State:
    """What of a state is no memory."""
    return tuple(state[place] for place in cell.bookkeeping)


def _with_account(cell: Cell, state: State, account: State) -> State:
    """A state with the account put in its place."""
    places = dict(zip(cell.bookkeeping, account, strict=True))
    return tuple(places.get(place, tensor) for place, tensor in enumerate(state))
