"""Greff et al. 2015, "LSTM: a search space odyssey", section 3: coupled input and forget gate (CIFG)."""

from __future__ import annotations

from typing import final

from torch import Tensor

from rnnx.cells.lstm import LSTM
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.operator import Operator
from rnnx.core.state import State


@final
class CoupledLSTM(Cell):
    r"""Long short-term memory that writes where it forgets: ``lstm`` with ``coupled=true``.

    .. math::
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    Peepholes add :math:`p_f \odot c_{t-1}` to what ``f`` sees, and :math:`p_o \odot c_t` to what ``o`` sees.

    The state is ``(h, c)``, the output ``h``. The parameters are those of ``lstm``: torch's with the rows
    ``f g o``, and with peepholes ``weight_ch``, which is ``p_f``, ``p_o``, ``(2 H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix
    (``W_ih`` is the whole ``weight_ih``),

    .. math::
        a &= \mathrm{LN}(W_{ih} x_t) + b_{ih} + \mathrm{LN}(W_{hh} h_{t-1}) + b_{hh} \\
        a &= [a_f; a_g; a_o] \\
        f_t &= \sigma(a_f) \\
        g_t &= \tanh(a_g) \\
        o_t &= \sigma(a_o) \\
        h_t &= o_t \odot \tanh(\mathrm{LN}(c_t))

    and ``c`` as before.

    Deviations: two biases, as torch. The paper's peepholes are an option; its gates are ``f = 1 - i``, the
    same with the weights of the other sign.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.
        peepholes: Whether the gates see the memory: ``f`` the one before, ``o`` the one after.
        forget_bias: Added to the forget gate's initial bias.
        layer_norm: Whether the sums and, inside the output, the memory are normalised.

    Example:
        >>> import torch
        >>> cell = CoupledLSTM(3, hidden_size=4)
        >>> cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))[0].shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        peepholes: bool = False,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.lstm = LSTM(
            input_size,
            hidden_size=hidden_size,
            coupled=True,
            peepholes=peepholes,
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
