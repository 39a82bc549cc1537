"""Zilly, Srivastava, Koutník & Schmidhuber 2016, "Recurrent highway networks"."""

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
class RHN(Cell):
    r"""Recurrent highway network: several highway layers in one step of time.

    .. math::
        h_l &= \tanh(W_H x_t [l = 1] + R_{H_l} s_{l-1} + b_{H_l}) \\
        t_l &= \sigma(W_T x_t [l = 1] + R_{T_l} s_{l-1} + b_{T_l}) \\
        c_l &= \sigma(W_C x_t [l = 1] + R_{C_l} s_{l-1} + b_{C_l}) \\
        c_l &= 1 - t_l \quad \text{(coupled)} \\
        s_l &= h_l \odot t_l + s_{l-1} \odot c_l

    for ``l = 1 ... L``, where ``s_0`` is the ``s_L`` of the step before (equations 6 to 9). The state and the
    output are ``s_L``. The rows of ``weight_ih`` are ``W_H``, ``W_T`` and, if not coupled, ``W_C``: ``G``
    parts, ``(G H, I)``. ``weight_hh`` has the parts of ``R`` in the same order, layer after layer,
    ``(L G H, H)``, and ``bias_hh`` those of ``b``, ``(L G H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of all parts of a layer,

    .. math::
        \left[u_h; u_t; u_c\right] &= \mathrm{LN}([W_H; W_T; W_C] x_t) [l = 1] \\
        \left[v_h; v_t; v_c\right] &= \mathrm{LN}([R_{H_l}; R_{T_l}; R_{C_l}] s_{l-1}) \\
        h_l &= \tanh(u_h + v_h + b_{H_l}) \\
        t_l &= \sigma(u_t + v_t + b_{T_l}) \\
        c_l &= \sigma(u_c + v_c + b_{C_l})

    without the parts of ``C`` if coupled.

    Deviations: the bias of a carry gate that is not coupled, of whose start the paper says nothing, starts
    at the negative of the transform gate's, so that ``c`` is near ``1 - t`` at first.

    Args:
        hidden_size: Width ``H`` of ``s``.
        depth: Number ``L`` of highway layers in a step.
        coupled: Whether the carry gate is ``1 - t``, as in the paper's experiments.
        transform_bias: Where the biases of the transform gates start; below zero a layer carries its input.
        layer_norm: Whether the sums are normalised.

    Example:
        >>> cell = RHN(3, hidden_size=4, depth=3)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        depth: Positive = 4,
        coupled: bool = True,
        transform_bias: float = -2.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.depth, self.coupled = depth, coupled
        parts = 2 if coupled else 3
        self.weight_ih = nn.Parameter(torch.empty(parts * hidden_size, input_size))  # W_H, W_T, W_C
        self.weight_hh = nn.Parameter(torch.empty(depth * parts * hidden_size, hidden_size))  # R
        self.bias_hh = nn.Parameter(torch.empty(depth * parts * hidden_size))  # b
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            bias = self.bias_hh.view(depth, parts, hidden_size)
            bias[:, 1], bias[:, 2:] = transform_bias, -transform_bias
        self.norm_ih = normalization.of_sums(layer_norm, parts * hidden_size)
        self.norms_hh = normalization.of_layers(layer_norm, depth, parts * hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_hh[: len(self.weight_ih)])

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (s,) = state
        first, *weights = self.weight_hh.chunk(self.depth)
        _, *biases = self.bias_hh.chunk(self.depth)
        norm, *norms = self.norms_hh
        s = self._highway(z + norm(linear(s, first)), s)
        for weight, bias, norm in zip(weights, biases, norms, strict=True):
            s = self._highway(norm.linear(s, weight, bias), s)
        return s, (s,)

    def _highway(self, a: Tensor, s: Tensor) -> Tensor:
        """A layer: its input ``s``, ``(N, H)``, and the sums of its parts, ``(N, G H)``."""
        h, t, *c = a.split(self.output_size, -1)
        t = torch.sigmoid(t)
        carry = 1 - t if self.coupled else torch.sigmoid(c[0])
        return self.drop_candidate(torch.tanh(h)) * t + s * carry
