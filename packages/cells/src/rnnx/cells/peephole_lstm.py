"""Gers & Schmidhuber 2000, "Recurrent nets that time and count"; as in Greff et al. 2015, section 2."""

from __future__ import annotations

from typing import final

from torch import Tensor

from rnnx.cells.lstm import LSTM
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.operator import Operator
from rnnx.core.state import State


@final
class PeepholeLSTM(Cell):
    r"""Long short-term memory whose gates see the memory: ``lstm`` with ``peepholes=true``.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi} + p_i \odot c_{t-1}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf} + p_f \odot c_{t-1}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho} + p_o \odot c_t) \\
        h_t &= o_t \odot \tanh(c_t)

    The state is ``(h, c)``, the output ``h``. The parameters are those of ``lstm``: torch's with the rows
    ``i f g o``, and ``weight_ch``, which is ``p_i``, ``p_f``, ``p_o``, ``(3 H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix
    (``W_ih`` is the whole ``weight_ih``),

    .. math::
        a &= \mathrm{LN}(W_{ih} x_t) + b_{ih} + \mathrm{LN}(W_{hh} h_{t-1}) + b_{hh} \\
        a &= [a_i; a_f; a_g; a_o] \\
        i_t &= \sigma(a_i + p_i \odot c_{t-1}) \\
        f_t &= \sigma(a_f + p_f \odot c_{t-1}) \\
        g_t &= \tanh(a_g) \\
        o_t &= \sigma(a_o + p_o \odot c_t) \\
        h_t &= o_t \odot \tanh(\mathrm{LN}(c_t))

    and ``c`` as before.

    Deviations: two biases, as torch.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.
        forget_bias: Added to the forget gate's initial bias.
        layer_norm: Whether the sums and, inside the output, the memory are normalised.

    Example:
        >>> import torch
        >>> cell = PeepholeLSTM(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.lstm = LSTM(
            input_size,
            hidden_size=hidden_size,
            peepholes=True,
            forget_bias=forget_bias,
            layer_norm=layer_norm,
        )
        self.input_size, self.output_size = input_size, self.lstm.output_size
        self.state_sizes = self.lstm.state_sizes

    def project(self, x: Tensor) -> Tensor:
        return self.lstm.project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self.lstm.step(z, state)

    def operator(self) -> Operator | None:
        return self.lstm.operator()
