"""Yao, Cohn, Vylomova, Duh & Dyer 2015, "Depth-gated LSTM"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from rnnx.cells import normalization
from rnnx.core import state as states
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class DepthGatedLSTM(Cell):
    r"""Layers of long short-term memory, each memory also fed by the one below through a gate.

    For the layers ``l = 1, 2 ...``, with :math:`x^1` the input and :math:`x^{l+1} = h^l`,

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi} + p_i \odot c_{t-1}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf} + p_f \odot c_{t-1}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        d_t &= \sigma(W_d x_t + b_d + w_c \odot c_{t-1} + w_l \odot c_t^{l-1}) \quad (l > 1) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t + d_t \odot c_t^{l-1} \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho} + p_o \odot c_t) \\
        h_t &= o_t \odot \tanh(c_t)

    where what has no other layer's number is of layer ``l``; the first layer has no depth gate. The state is
    :math:`(h^1, c^1, h^2, c^2 \dots)`, the output ``h`` of the last layer.

    Each layer has parameters with the names, shapes and order of gates of ``torch.nn.LSTMCell``: the rows of
    ``weight_ih`` are ``W_ii``, ``W_if``, ``W_ig``, ``W_io``, those of ``weight_hh`` are ``W_hi``, ``W_hf``,
    ``W_hg``, ``W_ho``, and so with ``bias_ih`` and ``bias_hh``; and ``weight_ch`` is ``p_i``, ``p_f``,
    ``p_o``, ``(3 H)``. Of a depth gate ``weight_ih`` is ``W_d``, ``(H, H)``; ``weight_ch`` is ``w_c``,
    ``weight_lh`` is ``w_l`` and ``bias`` is ``b_d``, each ``(H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix
    (``W_ih`` is the whole ``weight_ih``),

    .. math::
        a &= \mathrm{LN}(W_{ih} x_t) + b_{ih} + \mathrm{LN}(W_{hh} h_{t-1}) + b_{hh} \\
        a &= [a_i; a_f; a_g; a_o] \\
        i_t &= \sigma(a_i + p_i \odot c_{t-1}) \\
        f_t &= \sigma(a_f + p_f \odot c_{t-1}) \\
        g_t &= \tanh(a_g) \\
        d_t &= \sigma(\mathrm{LN}(W_d x_t) + b_d + w_c \odot c_{t-1} + w_l \odot c_t^{l-1}) \\
        o_t &= \sigma(a_o + p_o \odot c_t) \\
        h_t &= o_t \odot \tanh(\mathrm{LN}(c_t))

    and ``c`` as before.

    Deviations: two biases a layer, as torch.

    Args:
        hidden_size: Width ``H`` of each ``h`` and ``c``.
        layers: Number of layers inside the cell.
        forget_bias: Added to the initial bias of each layer's forget gate.
        layer_norm: Whether the sums and, inside the output, the memory are normalised.

    Example:
        >>> cell = DepthGatedLSTM(3, hidden_size=4, layers=3)
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> y.shape, len(state)
        (torch.Size([2, 4]), 6)
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        layers: Positive = 2,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size, hidden_size) * layers
        self.first = _Layer(input_size, hidden_size, forget_bias, layer_norm)
        upper = [_Layer(hidden_size, hidden_size, forget_bias, layer_norm) for _ in range(layers - 1)]
        self.upper = cast("Sequence[_Layer]", nn.ModuleList(upper))
        self.gates = nn.ModuleList(_DepthGate(hidden_size, layer_norm) for _ in range(layers - 1))

    def project(self, x: Tensor) -> Tensor:
        return self.first.project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        past, *pasts = states.split(state, [2] * (1 + len(self.upper)))
        h, c = after = self.first(z, past, 0.0, self.drop_candidate)
        for layer, gate, past in zip(self.upper, self.gates, pasts, strict=True):
            h, c = layer(layer.project(h), past, gate(h, past[1], c), self.drop_candidate)
            after += h, c
        return h, after


@final
class _Layer(nn.Module):
    """Long short-term memory with peepholes, whose memory takes in something more."""

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float, layer_norm: bool) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # W_ii, W_if, W_ig, W_io
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))  # W_hi, W_hf, W_hg, W_ho
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        self.weight_ch = nn.Parameter(torch.empty(3 * hidden_size))  # p_i, p_f, p_o
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih.chunk(4)[1].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, 4 * hidden_size)
        self.norm_hh = normalization.of_sums(layer_norm, 4 * hidden_size)
        self.norm_c = normalization.of_memory(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def forward(
        self, z: Tensor, state: State, below: Tensor | float, candidate: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        h, c = state
        p_i, p_f, p_o = self.weight_ch.chunk(3)
        i, f, g, o = (z + self.norm_hh(linear(h, self.weight_hh))).chunk(4, -1)
        c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * candidate(torch.tanh(g)) + below
        h = torch.sigmoid(o + p_o * c) * torch.tanh(self.norm_c(c))
        return h, c


@final
class _DepthGate(nn.Module):
    """What of the memory below goes up."""

    def __init__(self, size: int, layer_norm: bool) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(size, size))  # W_d
        self.weight_ch = nn.Parameter(torch.empty(size))  # w_c
        self.weight_lh = nn.Parameter(torch.empty(size))  # w_l
        self.bias = nn.Parameter(torch.empty(size))  # b_d
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(size**-0.5), size**-0.5)
        self.norm_ih = normalization.of_sums(layer_norm, size)

    def forward(self, x: Tensor, past: Tensor, below: Tensor) -> Tensor:
        peepholes = self.weight_ch * past + self.weight_lh * below
        return torch.sigmoid(self.norm_ih.linear(x, self.weight_ih, self.bias) + peepholes) * below
