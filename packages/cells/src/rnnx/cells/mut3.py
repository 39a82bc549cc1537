"""Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent network architectures"."""

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
class MUT3(Cell):
    r"""The third cell of a search by mutation from the gated recurrent unit; its update sees ``tanh(h)``.

    .. math::
        z_t &= \sigma(W_{xz} x_t + W_{hz} \tanh(h_{t-1}) + b_z) \\
        r_t &= \sigma(W_{xr} x_t + W_{hr} h_{t-1} + b_r) \\
        h_t &= \tanh(W_{hh} (r_t \odot h_{t-1}) + W_{xh} x_t + b_h) \odot z_t + h_{t-1} \odot (1 - z_t)

    The state and the output are ``h``. The rows of ``weight_ih`` are ``W_xz``, ``W_xr``, ``W_xh``,
    ``(3 H, I)``; those of ``weight_hh`` are ``W_hz``, ``W_hr``, ``W_hh``, ``(3 H, H)``; those of ``bias_ih``
    are ``b_z``, ``b_r``, ``b_h``.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` of what ``z`` and ``r`` see of ``x`` over the
    rows of both together,

    .. math::
        \left[u_z; u_r\right] &= \mathrm{LN}([W_{xz}; W_{xr}] x_t) \\
        z_t &= \sigma(u_z + \mathrm{LN}(W_{hz} \tanh(h_{t-1})) + b_z) \\
        r_t &= \sigma(u_r + \mathrm{LN}(W_{hr} h_{t-1}) + b_r)

    and ``LN(W_hh (r h)) + LN(W_xh x)`` in the candidate.

    Deviations: none.

    Args:
        hidden_size: Width ``H`` of ``h``.
        layer_norm: Whether the sums are normalised.

    Example:
        >>> cell = MUT3(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(self, input_size: int, *, hidden_size: Positive = 256, layer_norm: bool = False) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))  # W_xz, W_xr, W_xh
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))  # W_hz, W_hr, W_hh
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))  # b_z, b_r, b_h
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        self.norm_ih = normalization.of_sums(layer_norm, 2 * hidden_size, hidden_size)
        self.norm_th = normalization.of_sums(layer_norm, hidden_size)
        self.norm_hh = normalization.of_sums(layer_norm, hidden_size)
        self.norm_rh = normalization.of_sums(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_ih)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        update, r, n = z.chunk(3, -1)
        weight_z, weight_r, weight = self.weight_hh.chunk(3)
        update = torch.sigmoid(update + self.norm_th(linear(torch.tanh(h), weight_z)))
        r = torch.sigmoid(r + self.norm_hh(linear(h, weight_r)))
        n = torch.tanh(self.norm_rh(linear(r * h, weight)) + n)
        h = self.drop_candidate(n) * update + h * (1 - update)
        return h, (h,)
