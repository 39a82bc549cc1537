"""Hochreiter & Schmidhuber 1997, "Long short-term memory"; forget gate: Gers, Schmidhuber & Cummins 2000."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells import fused
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class LSTM(Cell):
    r"""Long short-term memory, equal to ``torch.nn.LSTM``.

    .. math::
        i_t, f_t, o_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U) \\
        g_t &= \tanh(W x_t + b_W + U h_{t-1} + b_U) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The state is ``(h, c)``, the output ``h``. Parameters have the names, shapes and order of gates (``i f g
    o``) of ``torch.nn.LSTMCell``.

    Deviations: two biases, as torch.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.

    Example:
        >>> cell = LSTM(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(self, input_size: int, *, hidden_size: int = 256) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = (
            input_size,
            hidden_size,
            (hidden_size, hidden_size),
        )
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # W
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))  # U
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, c = state
        i, f, g, o = (z + F.linear(h, self.weight_hh)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return fused.unroll(torch.lstm, weights, x, lengths, state)
