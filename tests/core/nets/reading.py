"""Ways to read, and cells by hand, that regularised nets are held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.layers import Layer, Recurrent
from rnnx.core.state import State
from rnnx.core.trees import Trees

N, T, I, H = 4, 5, 3, 8  # noqa: E741
CELLS = {entry.name: entry for entry in entry_points(group="rnnx.cells")}

Step = Callable[[Tensor, State], State]


def same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def by_chance(found: Tensor, rate: float) -> None:
    """Whether so many of independent draws are true as a rate says: within five standard deviations."""
    deviation = math.sqrt(rate * (1 - rate) / found.numel())
    assert abs(found.double().mean() - rate) <= 5 * deviation


# Ways to read: in each a step comes after none, one or more others, whose states add up


@dataclass(frozen=True)
class Way:
    """How rows are read: the real steps of each, and backwards or along trees."""

    lengths: tuple[int, ...]
    reverse: bool = False
    parents: tuple[tuple[int, ...], ...] = ()

    def order(self, n: int) -> Iterator[tuple[int, list[int]]]:
        """The steps of a row, and those that each comes right after."""
        if not self.parents:
            times = list(range(self.lengths[n]))[:: -1 if self.reverse else 1]
            yield from ((t, times[k - 1 : k] if k else []) for k, t in enumerate(times))
            return
        after = {
            t: [k for k, parent in enumerate(self.parents[n]) if parent == t]
            for t, parent in enumerate(self.parents[n])
            if parent > -2
        }
        done: set[int] = set()
        while after.keys() - done:
            ready = [t for t in after if t not in done and done.issuperset(after[t])]
            yield from ((t, after[t]) for t in ready)
            done.update(ready)

    def layer(self, cell: Cell) -> Layer:
        return Layer(cell, self.reverse)

    def read(self, net: Recurrent, x: Tensor) -> tuple[Tensor, State]:
        lengths = torch.tensor(self.lengths)
        return net(x, lengths, None, Trees.of(torch.tensor(self.parents)) if self.parents else None)

    def by_hand(self, step: Callable[[int], Step], x: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, State]:
        """What :meth:`read` is to give, when the first tensor of the state is the output.

        Args:
            step: Each row's.
            x: ``(N, T, I)``.
            sizes: Of the state.
        """
        y, last = [[torch.zeros(1, sizes[0])] * T for _ in range(N)], []
        for n in range(N):
            known: dict[int, State] = {}
            for t, befores in self.order(n):
                state = tuple(torch.zeros(1, size) for size in sizes)
                for before in befores:
                    state = tuple(map(torch.add, state, known[before]))
                known[t] = step(n)(x[n : n + 1, t], state)
                y[n][t] = known[t][0]
            last.append(known[t])
        return torch.stack([torch.cat(row) for row in y]), tuple(map(torch.cat, zip(*last, strict=True)))


PARENTS = ((2, 2, 4, 4, -1), (1, 2, -1, -2, -2), (-1, -2, -2, -2, -2), (-1, 0, 0, 0, -2))
WAYS = {
    "full": Way((T,) * N),
    "packed": Way((2, 5, 1, 3)),
    "backwards": Way((2, 5, 1, 3), reverse=True),
    "trees": Way((5, 3, 1, 4), parents=PARENTS),
}
THEIRS: dict[type[Cell], type[nn.RNNCellBase]] = {Elman: nn.RNNCell, GRU: nn.GRUCell, LSTM: nn.LSTMCell}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
each_cell = pytest.mark.parametrize("kind", THEIRS)


def theirs(cell: Cell, **weights: Tensor) -> Step:
    """A step of torch's cell with the weights of ours, or others."""
    module = THEIRS[type(cell)](cell.input_size, cell.output_size)
    module.load_state_dict(cell.state_dict() | weights)

    def step(x: Tensor, state: State) -> State:
        after = module(x, state if len(state) > 1 else state[0])
        return after if len(state) > 1 else (after,)

    return step


def gru(cell: Cell, x: Tensor, h: Tensor, seen: Tensor, kept: Tensor | float = 1.0) -> Tensor:
    """Cho et al. 2014, reset after the product, which reads ``seen``; the candidate is ``kept`` so much."""
    r, z, n = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, -1)
    past_r, past_z, past_n = (seen @ cell.weight_hh.T + cell.bias_hh).chunk(3, -1)
    r, z = torch.sigmoid(r + past_r), torch.sigmoid(z + past_z)
    return z * h + (1 - z) * kept * torch.tanh(n + r * past_n)


def lstm(
    cell: Cell, x: Tensor, state: State, seen: Tensor, kept: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    """Hochreiter & Schmidhuber 1997 with forget gates, whose products read ``seen``."""
    sums = x @ cell.weight_ih.T + cell.bias_ih + seen @ cell.weight_hh.T + cell.bias_hh
    i, f, g, o = sums.chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * kept * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class Sideways(Cell):
    """Its output is its second tensor, or another; its state starts at 1; it tells children apart."""

    def __init__(self, other: bool) -> None:
        super().__init__()
        self.other = other
        self.input_size, self.output_size, self.state_sizes = 2, 2, (2, 2)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b = z + state[0], z * state[1]
        return (b + 0 if self.other else b), (a, b)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        first, second = (child[:, 0] - child[:, 1:].sum(1) for child in children)
        return self.step(z, (first, second))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return like.new_ones(batch, 2), like.new_ones(batch, 2)
