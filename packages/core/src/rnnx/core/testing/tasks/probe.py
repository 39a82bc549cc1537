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
        (a, g) &= W x_t + U h_{t-1} + b \\
        m_t &= \sigma(g) \, m_{t-1} + (1 - \sigma(g)) \tanh(a) \\
        h_t &= \tanh(V m_t)

    The state is ``m``, ``(N, H)``, and ``h``, ``(N, H + 2)``; the output is both of them side by side.

    Args:
        hidden_size: ``H``.
    """

    def __init__(self, input_size: int, *, hidden_size: Positive = 12) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, 2 * hidden_size + 2
        self.state_sizes = (hidden_size, hidden_size + 2)
        self.input = nn.Linear(input_size, 2 * hidden_size)  # W, b
        self.past = nn.Linear(hidden_size + 2, 2 * hidden_size, bias=False)  # U
        self.hide = nn.Linear(hidden_size, hidden_size + 2, bias=False)  # V

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        m, h = state
        a, g = (z + self.past(h)).chunk(2, -1)
        g = torch.sigmoid(g)
        m = g * m + (1 - g) * self.drop_candidate(torch.tanh(a))
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
