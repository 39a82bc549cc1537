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
class MUT1(Cell):
    r"""The best cell of a search by mutation from the gated recurrent unit; its update sees the input alone.

    .. math::
        z_t &= \sigma(W x_t + b) \\
        r_t &= \sigma(W x_t + U h_{t-1} + b) \\
        h_t &= \tanh(U (r_t \odot h_{t-1}) + \tanh(x_t) + b) \odot z_t + h_{t-1} \odot (1 - z_t)

    The state and the output are ``h``. Each of ``z r h`` has weights of its own: ``weight_ih`` is ``W`` of
    ``z r``, ``(2 H, I)``; ``weight_hh`` is ``U`` of ``r h``, ``(2 H, H)``; ``bias_ih`` is ``b`` of ``z r h``;
    and ``weight_ir`` is ``V``, ``(H, I)``, of which below.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` of ``W x`` over the rows of ``z r``,

    .. math::
        z_t &= \sigma(\mathrm{LN}(W x_t) + b) \\
        r_t &= \sigma(\mathrm{LN}(W x_t) + \mathrm{LN}(U h_{t-1}) + b)

    and ``LN(U (r h))`` in the candidate; the input itself, ``x`` or ``V x``, stays bare.

    Deviations: the paper adds ``tanh(x_t)``, which needs an ``x`` as wide as ``h``: where the widths differ
    it is ``tanh(V x_t)``.

    Args:
        hidden_size: Width ``H`` of ``h``.
        layer_norm: Whether the sums are normalised.

    Example:
        >>> cell = MUT1(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(self, input_size: int, *, hidden_size: Positive = 256, layer_norm: bool = False) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.weight_ih = nn.Parameter(torch.empty(2 * hidden_size, input_size))  # W
        self.weight_hh = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))  # U
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))  # b
        if input_size != hidden_size:
            self.weight_ir = nn.Parameter(torch.empty(hidden_size, input_size))  # V
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        self.norm_ih = normalization.of_sums(layer_norm, 2 * hidden_size)
        self.norm_hh = normalization.of_sums(layer_norm, hidden_size)
        self.norm_rh = normalization.of_sums(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        shortcut = x if self.input_size == self.output_size else linear(x, self.weight_ir)
        b_z, b_r, b_h = self.bias_ih.chunk(3)
        z, r = self.norm_ih.linear(x, self.weight_ih, torch.cat((b_z, b_r))).chunk(2, -1)
        return torch.cat((torch.sigmoid(z), r, torch.tanh(shortcut) + b_h), -1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        z, r, n = z.chunk(3, -1)
        weight_r, weight = self.weight_hh.chunk(2)
        r = torch.sigmoid(r + self.norm_hh(linear(h, weight_r)))
        n = torch.tanh(self.norm_rh(linear(r * h, weight)) + n)
        h = self.drop_candidate(n) * z + h * (1 - z)
        return h, (h,)
