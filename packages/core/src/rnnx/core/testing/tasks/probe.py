"""The cell that tasks are checked with: small, its state and its output of three widths."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, final

import torch
from torch import Tensor, nn

from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.registry import GROUPS
from rnnx.core.state import State

NAME: Final = "probe"
METADATA: Final = "Metadata-Version: 2.1\nName: rnnx-probe\nVersion: 0\n"


@final
class Probe(Cell):
    r"""A gated cell, of which no task can take one width for another, or the output for the state.

    .. math::
        a_t &= \tanh(W_a x_t + U_a h_{t-1} + b_a) \\
        g_t &= \sigma(W_g x_t + U_g h_{t-1} + b_g) \\
        m_t &= g_t \, m_{t-1} + (1 - g_t) \, a_t \\
        h_t &= \tanh(V m_t)

    The state is ``m``, ``(N, H)``, and ``h``, ``(N, H + 2)``; the output is both of them side by side.

    Args:
        hidden_size: ``H``.
    """

    def __init__(self, input_size: int, *, hidden_size: Positive = 12) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, 2 * hidden_size + 2
        self.state_sizes = (hidden_size, hidden_size + 2)
        self.input = nn.Linear(input_size, 2 * hidden_size)  # W_a, W_g, b_a, b_g
        self.past = nn.Linear(hidden_size + 2, 2 * hidden_size, bias=False)  # U_a, U_g
        self.hide = nn.Linear(hidden_size, hidden_size + 2, bias=False)  # V

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        m, h = state
        sum_a, sum_g = (z + self.past(h)).chunk(2, -1)
        a, g = torch.tanh(sum_a), torch.sigmoid(sum_g)
        m = g * m + (1 - g) * self.drop_candidate(a)
        h = torch.tanh(self.hide(m))
        return torch.cat((m, h), -1), (m, h)


@contextmanager
def installed() -> Iterator[None]:
    """Makes the cell one that is found by its name, by a distribution that is there for a while."""
    with TemporaryDirectory() as folder:
        info = Path(folder) / "rnnx_probe-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA, encoding="utf-8")
        entry = f"[{GROUPS['cell']}]\n{NAME} = {Probe.__module__}:{Probe.__qualname__}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        sys.path.append(folder)
        try:
            yield
        finally:
            sys.path.remove(folder)
