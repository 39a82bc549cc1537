"""A paper of 2001: a cell that is right, and cells that are wrong in one thing each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State


class Right(Cell):
    """A cell.

    .. math::
        m_t = m_{t-1} / 2 + f(W x_t + U h_{t-1})

    Args:
        hidden_size: Width of both tensors of the state.
        gated: Whether ``h`` is gated.
        activation: ``f``.
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int = 6,
        gated: bool = False,
        activation: Literal["tanh", "sigmoid"] = "tanh",
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, 3, (hidden_size, hidden_size)
        self.gated, self.activation = gated, activation
        self.input, self.past = (
            nn.Linear(input_size, 2 * hidden_size),
            nn.Linear(hidden_size, 2 * hidden_size),
        )
        self.output = nn.Linear(hidden_size, 3)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, m = state
        a, g = (z + self.past(h)).chunk(2, -1)
        m = 0.5 * m + getattr(torch, self.activation)(a)
        h = torch.tanh(m) * torch.sigmoid(g) if self.gated else torch.tanh(m)
        return self.output(h), (h, m)


class Unrolled(Right):
    __doc__ = Right.__doc__

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        outputs = []
        for t, z in enumerate(self.project(x).unbind(1)):
            y, after = self.step(z, state)
            ends = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
            running = (t < ends).unsqueeze(1)
            outputs.append(y.where(running, 0))
            state = tuple(torch.where(running, new, old) for new, old in zip(after, state, strict=True))
        return torch.stack(outputs, 1), state


@pytest.fixture
def right() -> type[Cell]:
    """A cell with which nothing is wrong."""
    return Right


@pytest.fixture
def unrolled() -> type[Cell]:
    """Another, which has a faster way."""
    return Unrolled


@pytest.fixture
def but() -> Callable[..., type[Cell]]:
    """A cell that is another but for some methods."""

    def changed(base: type[Cell], **methods: Any) -> type[Cell]:
        return type("Wrong", (base,), {"__doc__": base.__doc__, "__module__": base.__module__, **methods})

    return changed
