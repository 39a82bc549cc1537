"""Kalchbrenner, Danihelka & Graves 2015, "Grid long short-term memory"."""

from __future__ import annotations

from itertools import cycle
from typing import final

import torch
from torch import Tensor, nn

from rnnx.core import state as states
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class GridLSTM(Cell):
    r"""Grid LSTM of two dimensions: in every block one LSTM along time and one along depth.

    A block reads the hidden and memory vectors of time, ``h, m``, from the step before, and those of depth,
    ``h', m'``, from the block below:

    .. math::
        i, f, o &= \sigma(W [h; h'] + b) \\
        g &= \tanh(W [h; h'] + b) \\
        m &\leftarrow f \odot m + i \odot g \\
        h &\leftarrow \tanh(o \odot m)

    and the same with weights of its own for ``h', m'``; both LSTMs read the old ``[h; h']``. The depth starts
    from the input, ``[h'; m'] = V x_t + a``, and the output is ``h'`` of the last block. The state is
    ``(h, m)`` of each block's time.

    ``input`` has ``V`` ``(2 H, I)``; a block of ``blocks`` has ``W`` ``(8 H, 2 H)``, the rows of time before
    those of depth, each in the order ``i f g o``.

    Deviations: biases ``b``; the paper's equations have none.

    Args:
        hidden_size: Width ``H`` of each ``h`` and ``m``.
        depth: Number of blocks.
        tied: Whether all blocks share their weights (the paper's tied LSTM).

    Example:
        >>> cell = GridLSTM(3, hidden_size=4, depth=3)
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> y.shape, len(state)
        (torch.Size([2, 4]), 6)
    """

    def __init__(
        self, input_size: int, *, hidden_size: Positive = 256, depth: Positive = 2, tied: bool = False
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size, hidden_size) * depth
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.blocks = nn.ModuleList(
            nn.Linear(2 * hidden_size, 8 * hidden_size) for _ in range(1 if tied else depth)
        )
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h_depth, m_depth = z.chunk(2, -1)
        after: State = ()
        pasts = states.split(state, [2] * (len(state) // 2))
        for block, (h, m) in zip(cycle(self.blocks), pasts, strict=False):
            time, depth = block(torch.cat((h, h_depth), -1)).chunk(2, -1)
            after += _lstm(time, m)
            h_depth, m_depth = _lstm(depth, m_depth)
        return h_depth, after


def _lstm(a: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """The paper's LSTM, from what its gates read and its memory: the next ``h`` and ``m``."""
    i, f, g, o = a.chunk(4, -1)
    m = torch.sigmoid(f) * m + torch.sigmoid(i) * torch.tanh(g)
    return torch.tanh(torch.sigmoid(o) * m), m
