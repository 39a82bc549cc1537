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

    For the layers ``l = 1, 2 ...``, with ``x^1`` the input and ``x^{l+1}_t = h^l_t``,

    .. math::
        i_t, f_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U + p \odot c_{t-1}) \\
        g_t &= \tanh(W x_t + b_W + U h_{t-1} + b_U) \\
        d_t &= \sigma(W_d x_t + b_d + w_c \odot c_{t-1} + w_l \odot c_t^{l-1}) \quad (l > 1) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t + d_t \odot c_t^{l-1} \\
        o_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U + p \odot c_t) \\
        h_t &= o_t \odot \tanh(c_t)

    where what has no other layer's number is of layer ``l``; the first layer has no depth gate. The state is
    ``(h^1, c^1, h^2, c^2 ...)``, the output ``h`` of the last layer. A layer's parameters have the names,
    shapes and order of gates (``i f g o``) of ``torch.nn.LSTMCell`` and ``p`` of ``i f o``, ``weight_ch``
    ``(3 H)``; a depth gate has ``weight_ih`` ``(H, H)``, ``weight_ch``, ``weight_lh`` and ``bias``, each
    ``(H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix,

    .. math::
        i_t, f_t &= \sigma(\mathrm{LN}(W x_t) + b_W + \mathrm{LN}(U h_{t-1}) + b_U + p \odot c_{t-1}) \\
        d_t &= \sigma(\mathrm{LN}(W_d x_t) + b_d + w_c \odot c_{t-1} + w_l \odot c_t^{l-1}) \\
        h_t &= o_t \odot \tanh(\mathrm{LN}(c_t))

    and so in ``g`` and ``o``.

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
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # W
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))  # U
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        self.weight_ch = nn.Parameter(torch.empty(3 * hidden_size))  # p
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
