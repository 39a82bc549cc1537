"""Kim 2017, "Residual LSTM: design of a deep recurrent architecture for distant speech recognition"."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from rnnx.cells import normalization
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class ResidualLSTM(Cell):
    r"""Long short-term memory with peepholes, whose output gate also lets its input through.

    .. math::
        i_t, f_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U + p \odot c_{t-1}) \\
        g_t &= \tanh(W x_t + b_W + U h_{t-1} + b_U) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U + p \odot c_t) \\
        h_t &= o_t \odot (W_p \tanh(c_t) + W_h x_t)

    ``W_h`` is the identity where ``x`` has the width of ``h``. The state is ``(h, c)``, the output ``h``.
    Parameters have the names, shapes and order of gates (``i f g o``) of ``torch.nn.LSTMCell``. Further there
    are ``p`` of ``i f o``, ``weight_ch`` ``(3 H)``; ``W_p``, ``weight_hr`` ``(H, H)``; and ``W_h``,
    ``weight_ir`` ``(H, I)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix,

    .. math::
        i_t, f_t &= \sigma(\mathrm{LN}(W x_t) + b_W + \mathrm{LN}(U h_{t-1}) + b_U + p \odot c_{t-1}) \\
        h_t &= o_t \odot (W_p \tanh(\mathrm{LN}(c_t)) + W_h x_t)

    and so in ``g`` and ``o``.

    Deviations: two biases, as torch; one width of ``c`` and ``h``, where the paper's ``W_p`` may change it.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.
        forget_bias: Added to the forget gate's initial bias.
        layer_norm: Whether the sums of the gates and, inside the output, the memory are normalised.

    Example:
        >>> cell = ResidualLSTM(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
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
        self.weight_ch = nn.Parameter(torch.empty(3 * hidden_size))  # p
        self.weight_hr = nn.Parameter(torch.empty(hidden_size, hidden_size))  # W_p
        if input_size != hidden_size:
            self.weight_ir = nn.Parameter(torch.empty(hidden_size, input_size))  # W_h
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih.chunk(4)[1].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, 4 * hidden_size)
        self.norm_hh = normalization.of_sums(layer_norm, 4 * hidden_size)
        self.norm_c = normalization.of_memory(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        shortcut = x if self.input_size == self.output_size else linear(x, self.weight_ir)
        sums = self.norm_ih.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)
        return torch.cat((sums, shortcut), -1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, c = state
        z, shortcut = z.split((4 * self.output_size, self.output_size), -1)
        p_i, p_f, p_o = self.weight_ch.chunk(3)
        i, f, g, o = (z + self.norm_hh(linear(h, self.weight_hh))).chunk(4, -1)
        c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * self.drop_candidate(torch.tanh(g))
        h = torch.sigmoid(o + p_o * c) * (linear(torch.tanh(self.norm_c(c)), self.weight_hr) + shortcut)
        return h, (h, c)
