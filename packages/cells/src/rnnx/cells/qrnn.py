"""Bradbury, Merity, Xiong & Socher 2016, "Quasi-recurrent neural networks"."""

from __future__ import annotations

from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells import normalization, recurrence
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class QRNN(Cell):
    r"""Quasi-recurrent network: gates from a convolution over the last inputs, then a pooling over time.

    .. math::
        z_t &= \tanh(\sum_{j=0}^{k-1} W_j x_{t-j} + b) \\
        f_t, o_t, i_t &= \sigma(\sum_{j=0}^{k-1} W_j x_{t-j} + b) \\
        c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot z_t \quad \text{(f, fo)} \\
        c_t &= f_t \odot c_{t-1} + i_t \odot z_t \quad \text{(ifo)} \\
        h_t &= c_t \quad \text{(f)}, \quad h_t = o_t \odot c_t \quad \text{(fo, ifo)}

    An input before the first is zero. The output is ``h``. ``weight_ih`` is ``W``, ``(k G H, I)``: ``W_0``
    for the input of the step itself, then ``W_1`` ..., each with rows ``z f``, ``z f o`` or ``z f o i``,
    ``G`` parts; ``bias_ih`` is ``b``, ``(G H)``.

    The state is ``c`` and, for each of the ``k - 1`` steps to come, what the inputs up to now add to its
    gates, ``(N, G H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of all parts,

    .. math::
        f_t, o_t, i_t = \sigma(\mathrm{LN}(\sum_{j=0}^{k-1} W_j x_{t-j}) + b)

    and so in ``z``.

    Deviations: the paper leaves out the biases, which its authors' library has.

    Args:
        hidden_size: Width ``H`` of ``c`` and ``h``.
        kernel_size: How many inputs ``k`` the gates see, the step's own among them.
        pooling: Which gates there are: forget; forget and output; input, forget and output.
        forget_bias: Added to the forget gate's initial bias.
        layer_norm: Whether the sums are normalised.

    Example:
        >>> cell = QRNN(3, hidden_size=4, kernel_size=2, pooling="fo")
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> y.shape, [tuple(tensor.shape) for tensor in state]
        (torch.Size([2, 4]), [(2, 4), (2, 12)])
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        kernel_size: Positive = 2,
        pooling: Literal["f", "fo", "ifo"] = "fo",
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.pooling = kernel_size, pooling
        width = (1 + len(pooling)) * hidden_size
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size, *[width] * (kernel_size - 1))
        self.bookkeeping = tuple(range(1, kernel_size))
        self.weight_ih = nn.Parameter(torch.empty(kernel_size * width, input_size))  # W
        self.bias_ih = nn.Parameter(torch.empty(width))  # b
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih[hidden_size : 2 * hidden_size].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, width)

    def project(self, x: Tensor) -> Tensor:
        bias = self.norm_ih.before(self.bias_ih)
        bias = F.pad(bias, (0, len(self.weight_ih) - len(bias)))
        return F.linear(x, self.weight_ih, bias)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        c, *before = state
        parts = z.chunk(self.kernel_size, -1)  # of this step's gates, of the next's ...
        now, *later = (*map(torch.add, parts, before), parts[-1])
        f, new, o = self._gates(self.norm_ih(now, self.bias_ih))
        c = f * c + new
        return c if self.pooling == "f" else o * c, (c, *later)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if lengths is not None:  # what is saved on steps is spent on padding
            return None
        c, *before = state
        steps, past = x.shape[1], self.kernel_size - 1
        windows = torch.cat([F.pad(x, (0, 0, j, past - j)) for j in range(self.kernel_size)], -1)
        a = F.linear(windows, torch.cat(self.weight_ih.chunk(self.kernel_size), 1))  # (N, T + k - 1, G H)
        if before:
            a = a + F.pad(torch.stack(before, 1), (0, 0, 0, steps))
        sums = a[:, :steps] + self.norm_ih.before(self.bias_ih)
        f, new, o = self._gates(self.norm_ih(sums, self.bias_ih))
        cs = recurrence.linear(f, new, c)
        return o * cs, (cs[:, -1], *a[:, steps:].unbind(1))

    def _gates(self, a: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        """``f``, what is added to the memory, and ``o``, from their sums ``(..., G H)``."""
        z, *gates = a.split(self.output_size, -1)
        f, *others = map(torch.sigmoid, gates)
        z = self.drop_candidate(torch.tanh(z))
        if self.pooling == "f":
            return f, (1 - f) * z, 1.0
        if self.pooling == "fo":
            return f, (1 - f) * z, others[0]
        return f, others[1] * z, others[0]
