"""Cells whose steps are written as kernels, and what they are given and give."""

from __future__ import annotations

from typing import final

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State

P = 3


@final
class Gated(Cell):
    """Two products a step, the second one of what the first one made; gates of one product; a view of z."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = P + 2 * width, width, (width,)
        self.gates, self.new = nn.Linear(width, 2 * width), nn.Linear(width, width, bias=False)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        width = self.output_size
        reset, update = torch.sigmoid(self.gates(h) + z[:, P:]).split(width, -1)
        new = torch.tanh(z[:, P : P + width] - self.new(reset * h)) * z[:, :1]
        h = update * h + (1 - update) * new
        return h, (h,)


@final
class Widths(Cell):
    """Three tensors of three widths, put together and cut across one another."""

    input_size, output_size, state_sizes = P, 6, (2, 5, 1)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.output = nn.Linear(P + 5, 2), nn.Linear(P + 2, 5), nn.Linear(8, 6)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b, c = state
        a = torch.tanh(self.first(torch.cat((z, b), -1)) + a)
        b = torch.sigmoid(self.second(torch.cat((z, a), -1))) * b
        mixed = torch.sigmoid(torch.cat((a, b), -1))  # (N, 7)
        c = torch.tanh(c + mixed[:, 1:2] * mixed[:, 6:])
        return self.output(torch.cat((a, b, c), -1)), (a, b, c)


@final
class Elementwise(Cell):
    """No product: each number goes along alone; what is kept of a step is also whether it was below zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 2 * width, width, (width, width)
        self.scale = nn.Parameter(torch.linspace(-1, 1, width))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        c, before = state
        value, gate = z.chunk(2, -1)
        c = torch.lerp(c, value, torch.sigmoid(gate + self.scale * before))
        return torch.relu(c) * gate, (c, value)


@final
class Normalised(Cell):
    """Layer normalisation of a product, and of an input's part that is not contiguous."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 2 * width, width, (width,)
        self.u, self.of_u, self.of_z = nn.Linear(width, width), nn.LayerNorm(width), nn.LayerNorm(width)
        nn.init.uniform_(self.of_u.weight)
        nn.init.uniform_(self.of_u.bias)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.tanh(self.of_u(self.u(state[0])) + self.of_z(z[:, 1::2] * state[0]))
        return h, (h,)


@final
class Shares(Cell):
    """Numbers as shares of their sum, whose gradient is that of the sum for each of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = width, width, (width,)
        self.u = nn.Linear(width, width)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        parts = torch.exp(torch.tanh(self.u(state[0]) + z))
        h = parts / parts.sum(-1, keepdim=True)
        return h, (h,)


@final
class OneColumn(Cell):
    """One number of a row for all of another: of the state, and of a product; and a sign that was a truth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = width, width, (width,)
        self.u = nn.Linear(width, width + 1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        new, gate = self.u(h).split([self.output_size, 1], -1)
        sign = -(h > 0).to(h.dtype)
        h = torch.sigmoid(gate) * torch.tanh(new + z + h[:, 2:3]) + sign * h[:, :1]
        return h, (h,)


CELLS = {
    "gates": lambda: Gated(5),
    "gates of several blocks of columns": lambda: Gated(70),
    "widths": Widths,
    "elementwise": lambda: Elementwise(3),
    "elementwise, of several blocks of columns": lambda: Elementwise(130),
    "one column": lambda: OneColumn(5),
    "one column of several blocks": lambda: OneColumn(70),
    "shares": lambda: Shares(5),
    "shares of several blocks of columns": lambda: Shares(70),
    "normalised": lambda: Normalised(6),
    "normalised, of several blocks of columns": lambda: Normalised(70),
}


def sizes() -> st.SearchStrategy[list[int]]:
    """How many rows run at each step, of several blocks of rows too."""
    return st.lists(st.integers(1, 19), min_size=1, max_size=4).map(lambda sizes: sorted(sizes, reverse=True))


def given_to(cell: Cell, sizes: list[int], waiting: int) -> tuple[Tensor, State]:
    """Projected inputs, and a state of ``waiting`` rows more than ever run."""
    state = [torch.randn(sizes[0] + waiting, size, requires_grad=True) for size in cell.state_sizes]
    return torch.randn(sum(sizes), cell.input_size, requires_grad=True), tuple(state)


def results(outputs: tuple[Tensor, State], cell: Cell, z: Tensor, state: State) -> list[Tensor]:
    y, last = outputs
    ends = [end for end in (y, *last) if end.requires_grad]
    total = torch.stack([(end * torch.linspace(-1, 1, end.numel()).view_as(end)).sum() for end in ends]).sum()
    of = [tensor for tensor in (z, *state, *cell.parameters()) if tensor.requires_grad]
    return [y, *last, *torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)]
