"""Elman 1990, "Finding structure in time", Cognitive Science 14(2)."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn

from rnnx.cells import fused
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.operator import Operator
from rnnx.core.state import State


@final
class Elman(Cell):
    r"""The simple recurrent network, equal to ``torch.nn.RNN``.

    .. math::
        h_t = f(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    The output is the state ``h``. Parameters have the names and shapes of ``torch.nn.RNNCell``: ``W_ih`` is
    ``weight_ih`` and ``b_ih`` is ``bias_ih``, and so on.

    Deviations: two biases where the paper has one, as torch; the paper's ``f`` is the logistic sigmoid,
    the default here is tanh, as torch's.

    Args:
        hidden_size: Width ``H`` of ``h``.
        activation: ``f``.

    Example:
        >>> cell = Elman(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        activation: Literal["tanh", "sigmoid", "relu"] = "tanh",
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.activation = activation
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))  # W_ih
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))  # W_hh
        self.bias_ih = nn.Parameter(torch.empty(hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        h = getattr(torch, self.activation)(z + linear(h, self.weight_hh))
        return h, (h,)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if self.activation == "sigmoid":
            return None
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return fused.unroll(getattr(torch, f"rnn_{self.activation}"), weights, x, lengths, state)

    def operator(self) -> Operator:
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return Operator("RNN", weights, attributes={"activations": [self.activation.capitalize()]})
