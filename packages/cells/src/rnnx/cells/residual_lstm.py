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
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi} + p_i \odot c_{t-1}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf} + p_f \odot c_{t-1}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho} + p_o \odot c_t) \\
        h_t &= o_t \odot (W_p \tanh(c_t) + W_h x_t)

    ``W_h`` is the identity where ``x`` has the width of ``h``.

    The state is ``(h, c)``, the output ``h``. Parameters have the names, shapes and order of gates of
    ``torch.nn.LSTMCell``: the rows of ``weight_ih`` are ``W_ii``, ``W_if``, ``W_ig``, ``W_io``, those of
    ``weight_hh`` are ``W_hi``, ``W_hf``, ``W_hg``, ``W_ho``, and so with ``bias_ih`` and ``bias_hh``.
    Further ``weight_ch`` is ``p_i``, ``p_f``, ``p_o``, ``(3 H)``; ``weight_hr`` is ``W_p``, ``(H, H)``; and
    ``weight_ir`` is ``W_h``, ``(H, I)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix
    (``W_ih`` is the whole ``weight_ih``),

    .. math::
        a &= \mathrm{LN}(W_{ih} x_t) + b_{ih} + \mathrm{LN}(W_{hh} h_{t-1}) + b_{hh} \\
        a &= [a_i; a_f; a_g; a_o] \\
        i_t &= \sigma(a_i + p_i \odot c_{t-1}) \\
        f_t &= \sigma(a_f + p_f \odot c_{t-1}) \\
        g_t &= \tanh(a_g) \\
        o_t &= \sigma(a_o + p_o \odot c_t) \\
        h_t &= o_t \odot (W_p \tanh(\mathrm{LN}(c_t)) + W_h x_t)

    and ``c`` as before.

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
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # W_ii, W_if, W_ig, W_io
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))  # W_hi, W_hf, W_hg, W_ho
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        self.weight_ch = nn.Parameter(torch.empty(3 * hidden_size))  # p_i, p_f, p_o
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
        sums, shortcut = z.split((4 * self.output_size, self.output_size), -1)
        p_i, p_f, p_o = self.weight_ch.chunk(3)
        i, f, g, o = (sums + self.norm_hh(linear(h, self.weight_hh))).chunk(4, -1)
        c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * self.drop_candidate(torch.tanh(g))
        h = torch.sigmoid(o + p_o * c) * (linear(torch.tanh(self.norm_c(c)), self.weight_hr) + shortcut)
        return h, (h, c)
