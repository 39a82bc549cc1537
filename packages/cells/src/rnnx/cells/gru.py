"""Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical MT"."""

from __future__ import annotations

from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells import fused
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class GRU(Cell):
    r"""Gated recurrent unit, equal to ``torch.nn.GRU`` when it resets after the product.

    .. math::
        r_t, z_t &= \sigma(W x_t + b_W + U h_{t-1} + b_U) \\
        n_t &= \tanh(W x_t + b_W + r_t \odot (U h_{t-1} + b_U)) \quad \text{(reset after)} \\
        n_t &= \tanh(W x_t + b_W + U (r_t \odot h_{t-1}) + b_U) \quad \text{(reset before)} \\
        h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot n_t

    The output is the state ``h``. Parameters have the names, shapes and order of gates (``r z n``) of
    ``torch.nn.GRUCell``.

    Deviations: the paper resets before the product and has no biases; the default here is torch's and cuDNN's
    form.

    Args:
        hidden_size: Width ``H`` of ``h``.
        reset: Whether the reset gate acts before the recurrent product (the paper) or after it (torch).

    Example:
        >>> cell = GRU(3, hidden_size=4, reset="before")
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self, input_size: int, *, hidden_size: Positive = 256, reset: Literal["before", "after"] = "after"
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.reset = reset
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))  # W
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))  # U
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight_ih, self.bias_ih)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        size = self.output_size
        gates, candidate = z.split((2 * size, size), -1)
        if self.reset == "after":
            past_gates, past = F.linear(h, self.weight_hh, self.bias_hh).split((2 * size, size), -1)
            r, z = torch.sigmoid(gates + past_gates).chunk(2, -1)
            n = torch.tanh(candidate + r * past)
        else:
            weight_gates, weight = self.weight_hh.split((2 * size, size))
            bias_gates, bias = self.bias_hh.split((2 * size, size))
            r, z = torch.sigmoid(gates + F.linear(h, weight_gates, bias_gates)).chunk(2, -1)
            n = torch.tanh(candidate + F.linear(r * h, weight, bias))
        h = n + z * (h - n)
        return h, (h,)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if self.reset == "before":
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return fused.unroll(torch.gru, weights, x, lengths, state)
