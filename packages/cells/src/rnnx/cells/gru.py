"""Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical MT"."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

import torch
from torch import Tensor, nn

from rnnx.cells import fused, normalization
from rnnx.core.bounds import Positive, refuse_other
from rnnx.core.cell import Cell
from rnnx.core.operator import Operator, in_order
from rnnx.core.state import State

Reset: TypeAlias = Literal["before", "after"]


@final
class GRU(Cell):
    r"""Gated recurrent unit, equal to ``torch.nn.GRU`` when it resets after the product.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \quad \text{(reset after)} \\
        n_t &= \tanh(W_{in} x_t + b_{in} + W_{hn} (r_t \odot h_{t-1}) + b_{hn}) \quad \text{(reset before)} \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The output is the state ``h``. Parameters have the names, shapes and order of gates of
    ``torch.nn.GRUCell``: the rows of ``weight_ih`` are ``W_ir``, ``W_iz``, ``W_in``, those of ``weight_hh``
    are ``W_hr``, ``W_hz``, ``W_hn``, and so with ``bias_ih`` and ``bias_hh``.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of ``r`` and ``z`` together, and
    over those of ``n`` by themselves,

    .. math::
        \left[u_r; u_z\right] &= \mathrm{LN}([W_{ir}; W_{iz}] x_t) \\
        \left[v_r; v_z\right] &= \mathrm{LN}([W_{hr}; W_{hz}] h_{t-1}) \\
        r_t &= \sigma(u_r + b_{ir} + v_r + b_{hr}) \\
        z_t &= \sigma(u_z + b_{iz} + v_z + b_{hz}) \\
        u_n &= \mathrm{LN}(W_{in} x_t) + b_{in} \\
        n_t &= \tanh(u_n + r_t \odot (\mathrm{LN}(W_{hn} h_{t-1}) + b_{hn})) \quad \text{(reset after)} \\
        n_t &= \tanh(u_n + \mathrm{LN}(W_{hn} (r_t \odot h_{t-1})) + b_{hn}) \quad \text{(reset before)}

    Deviations: the paper resets before the product and has no biases; the default here is torch's and cuDNN's
    form.

    Args:
        hidden_size: Width ``H`` of ``h``.
        reset: Whether the reset gate acts before the recurrent product (the paper) or after it (torch).
        update_bias: Added to the initial ``b_iz``; above zero the past is kept.
        layer_norm: Whether the sums are normalised.

    Example:
        >>> cell = GRU(3, hidden_size=4, reset="before")
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        reset: Reset = "after",
        update_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        refuse_other("cell.reset", reset, Reset)
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.reset, self.layer_norm = reset, layer_norm
        self.fused = reset == "after" and not layer_norm
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))  # W_ir, W_iz, W_in
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))  # W_hr, W_hz, W_hn
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih.chunk(3)[1].add_(update_bias)
        self.norm_ih = normalization.of_sums(layer_norm, 2 * hidden_size, hidden_size)
        if reset == "after":
            self.norm_hh = normalization.of_sums(layer_norm, 2 * hidden_size, hidden_size)
        else:
            self.norm_hh = normalization.of_sums(layer_norm, 2 * hidden_size)
            self.norm_rh = normalization.of_sums(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_ih)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        size = self.output_size
        gates, candidate = z.split((2 * size, size), -1)
        if self.reset == "after":
            sums = self.norm_hh.linear(h, self.weight_hh, self.bias_hh)
            past_gates, past = sums.split((2 * size, size), -1)
            r, update = torch.sigmoid(gates + past_gates).chunk(2, -1)
            n = torch.tanh(candidate + r * past)
        else:
            weight_gates, weight = self.weight_hh.split((2 * size, size))
            bias_gates, bias = self.bias_hh.split((2 * size, size))
            past_gates = self.norm_hh.linear(h, weight_gates, bias_gates)
            r, update = torch.sigmoid(gates + past_gates).chunk(2, -1)
            n = torch.tanh(candidate + self.norm_rh.linear(r * h, weight, bias))
        n = self.drop_candidate(n)
        h = n + update * (h - n)
        return h, (h,)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if not self.fused:
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return fused.unroll(torch.gru, weights, x, lengths, state)

    def operator(self) -> Operator | None:
        if self.layer_norm:
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        after = {"linear_before_reset": int(self.reset == "after")}
        return Operator("GRU", [in_order(weight, "rzn", "zrn") for weight in weights], attributes=after)
