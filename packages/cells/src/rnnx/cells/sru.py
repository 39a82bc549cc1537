"""Lei, Zhang, Wang, Dai & Artzi 2018, "Simple recurrent units for highly parallelizable recurrence"."""

from __future__ import annotations

from math import exp, sqrt
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells import normalization
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class SRU(Cell):
    r"""Simple recurrent unit: all matrix products are of the input.

    .. math::
        f_t &= \sigma(W_f x_t + v_f \odot c_{t-1} + b_f) \\
        c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot (W x_t) \\
        r_t &= \sigma(W_r x_t + v_r \odot c_{t-1} + b_r) \\
        h_t &= r_t \odot c_t + (1 - r_t) \odot \alpha x_t

    The state is ``c``, the output ``h``. The rows of ``weight_ih`` are ``W``, ``W_f``, ``W_r``, ``(3 H, I)``;
    ``weight_ch`` is ``v_f``, ``v_r``, and ``bias_ih`` is ``b_f``, ``b_r``, each ``(2 H)``. Without peepholes
    ``v`` is zero, which is the first version, Lei & Zhang 2017; :math:`\alpha` is 1, or ``sqrt(1 + 2
    exp(b_r))`` at the start's ``b_r`` if rescaled.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of ``f`` and ``r`` together,

    .. math::
        \left[u_f; u_r\right] &= \mathrm{LN}([W_f; W_r] x_t) \\
        f_t &= \sigma(u_f + v_f \odot c_{t-1} + b_f) \\
        r_t &= \sigma(u_r + v_r \odot c_{t-1} + b_r)

    The candidate ``W x`` stays bare: it is no gate's sum.

    Deviations: ``x`` is as wide as ``h`` in the papers; where the widths differ :math:`V x_t` takes its
    place, with ``V``, ``weight_ir``, ``(H, I)``, as in the authors' library. The first version's activation
    of :math:`c_t` in the output is left out, as in the second. Weights start as those of the other cells
    here, not with the variance ``1 / I``.

    Args:
        hidden_size: Width ``H`` of ``c`` and ``h``.
        peepholes: Whether the gates see ``c`` (2018) or the input alone (2017).
        highway_bias: Where ``b_r`` starts.
        rescale: Whether ``alpha`` scales the input up, so that ``h`` starts with its variance.
        forget_bias: Added to the initial ``b_f``.
        layer_norm: Whether the sums of the gates are normalised.

    Example:
        >>> cell = SRU(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        peepholes: bool = True,
        highway_bias: float = 0.0,
        rescale: bool = False,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.peepholes = peepholes
        self.alpha = sqrt(1 + 2 * exp(highway_bias)) if rescale else 1.0
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))  # W, W_f, W_r
        self.bias_ih = nn.Parameter(torch.empty(2 * hidden_size))  # b_f, b_r
        if peepholes:
            self.weight_ch = nn.Parameter(torch.empty(2 * hidden_size))  # v_f, v_r
        if input_size != hidden_size:
            self.weight_ir = nn.Parameter(torch.empty(hidden_size, input_size))  # V
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            f, r = self.bias_ih.chunk(2)
            f.add_(forget_bias)
            r.fill_(highway_bias)
        self.norm_ih = normalization.of_sums(layer_norm, 2 * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        shortcut = x if self.input_size == self.output_size else linear(x, self.weight_ir)
        if self.alpha != 1:
            shortcut = self.alpha * shortcut
        bias = F.pad(self.norm_ih.bias_inside(self.bias_ih), (self.output_size, 0))
        return torch.cat((linear(x, self.weight_ih, bias), shortcut), -1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (c,) = state
        size = self.output_size
        candidate, gates, shortcut = z.split((size, 2 * size, size), -1)
        f, r = self.norm_ih(gates, self.bias_ih).chunk(2, -1)
        f, r = self._gate(f, 0, c), self._gate(r, 1, c)
        candidate = self.drop_candidate(candidate)
        c = candidate + f * (c - candidate)
        return shortcut + r * (c - shortcut), (c,)

    def _gate(self, a: Tensor, row: int, c: Tensor) -> Tensor:
        """``f`` (row 0) or ``r`` (row 1) from its part of the input and ``c_{t-1}``, ``(N, H)``."""
        return torch.sigmoid(a + self.weight_ch.chunk(2)[row] * c if self.peepholes else a)
