"""Jordan 1986, "Serial order: a parallel distributed processing approach", ICS report 8604, UC San Diego."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn

from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class Jordan(Cell):
    r"""The network whose past is its own output.

    .. math::
        h_t &= f(W_{ih} x_t + W_{yh} y_{t-1} + b_h) \\
        y_t &= g(W_{hy} h_t + b_y)

    The state is the output ``y``, ``(N, H)``. ``W_ih`` is ``weight_ih`` and ``b_h`` is ``bias_h``, and so on.

    Deviations: the paper's state units keep a decaying trace of the outputs,
    :math:`s_t = \mu s_{t-1} + y_{t-1}`; here :math:`\mu` is 0, as the network is defined today. The output is
    as wide as the hidden layer, so that what a task reads from it does not depend on the cell.

    Args:
        hidden_size: Width ``H`` of ``h`` and of ``y``.
        activation: ``f``.
        output_activation: ``g``.

    Example:
        >>> cell = Jordan(3, hidden_size=4)
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> torch.equal(y, state[0])
        True
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        activation: Literal["tanh", "sigmoid", "relu"] = "tanh",
        output_activation: Literal["tanh", "sigmoid", "relu"] = "tanh",
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.activation, self.output_activation = activation, output_activation
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))  # W_ih
        self.weight_yh = nn.Parameter(torch.empty(hidden_size, hidden_size))  # W_yh
        self.bias_h = nn.Parameter(torch.empty(hidden_size))  # b_h
        self.weight_hy = nn.Parameter(torch.empty(hidden_size, hidden_size))  # W_hy
        self.bias_y = nn.Parameter(torch.empty(hidden_size))  # b_y
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih, self.bias_h)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (y,) = state
        h = getattr(torch, self.activation)(z + linear(y, self.weight_yh))
        y = getattr(torch, self.output_activation)(linear(h, self.weight_hy, self.bias_y))
        return y, (y,)
