"""Bradbury, Merity, Xiong & Socher 2016, "Quasi-recurrent neural networks"."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells import normalization
from rnnx.cells.minimal_filtering import TOGETHER, ThreeSteps, pays, windows
from rnnx.core.bounds import Positive, refuse_other
from rnnx.core.cell import Cell
from rnnx.core.engine import scan
from rnnx.core.nets.linear import linear
from rnnx.core.state import State

Gates: TypeAlias = Literal["f", "fo", "ifo"]


@final
class QRNN(Cell):
    r"""Quasi-recurrent network: gates from a convolution over the last inputs, then a pooling over time.

    .. math::
        z_t &= \tanh(\sum_{j=0}^{k-1} W_z^j x_{t-j} + b_z) \\
        f_t &= \sigma(\sum_{j=0}^{k-1} W_f^j x_{t-j} + b_f) \\
        o_t &= \sigma(\sum_{j=0}^{k-1} W_o^j x_{t-j} + b_o) \quad \text{(fo, ifo)} \\
        i_t &= \sigma(\sum_{j=0}^{k-1} W_i^j x_{t-j} + b_i) \quad \text{(ifo)} \\
        c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot z_t \quad \text{(f, fo)} \\
        c_t &= f_t \odot c_{t-1} + i_t \odot z_t \quad \text{(ifo)} \\
        h_t &= c_t \quad \text{(f)} \\
        h_t &= o_t \odot c_t \quad \text{(fo, ifo)}

    An input before the first is zero. The output is ``h``. ``weight_ih`` is ``(k G H, I)``: :math:`W^0` for
    the input of the step itself, then :math:`W^1` ..., each with the rows of ``z f``, ``z f o`` or
    ``z f o i``, ``G`` parts; and so with ``bias_ih``, ``(G H)``.

    The state is ``c`` and, for each of the ``k - 1`` steps to come, what the inputs up to now add to its
    gates, ``(N, G H)``.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of all parts together,

    .. math::
        \left[a_z; a_f; a_o; a_i\right] &= \mathrm{LN}(\sum_{j=0}^{k-1} W^j x_{t-j}) \\
        z_t &= \tanh(a_z + b_z) \\
        f_t &= \sigma(a_f + b_f) \\
        o_t &= \sigma(a_o + b_o) \\
        i_t &= \sigma(a_i + b_i)

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
        pooling: Gates = "fo",
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        refuse_other("cell.pooling", pooling, Gates)
        self.kernel_size, self.pooling = kernel_size, _Pooling(hidden_size, pooling)
        width = self.pooling.input_size
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size, *[width] * (kernel_size - 1))
        self.bookkeeping = tuple(range(1, kernel_size))
        self.weight_ih = nn.Parameter(torch.empty(kernel_size * width, input_size))  # W^0, W^1 ...
        self.bias_ih = nn.Parameter(torch.empty(width))  # b_z, b_f, b_o, b_i
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih[hidden_size : 2 * hidden_size].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, width)

    def project(self, x: Tensor) -> Tensor:
        bias = self.norm_ih.bias_inside(self.bias_ih)
        bias = F.pad(bias, (0, len(self.weight_ih) - len(bias)))
        return linear(x, self.weight_ih, bias)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        c, *before = state
        parts = z.chunk(self.kernel_size, -1)  # of this step's gates, of the next's ...
        now, *later = (*map(torch.add, parts, before), parts[-1])
        y, (c,) = self.pooling.step(self.norm_ih(now, self.bias_ih), (c,))
        return y, (c, *later)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if self.kernel_size != 2 or lengths is not None or not pays(x, self.weight_ih):
            return None
        begun = (x.shape[1] - 1) % TOGETHER + 1  # steps, after which the others are threes
        first, (c, _) = scan(self, x[:, :begun], None, state)
        threes = ThreeSteps(self.weight_ih, self.bias_ih, self.norm_ih, self.pooling)
        y, (c,) = scan(threes, windows(x[:, begun - 1 :]), None, (c,))
        y = y.unflatten(-1, (TOGETHER, -1)).flatten(1, 2)  # (N, T - begun, H)
        return torch.cat((first, y), 1), (c, linear(x[:, -1], self.weight_ih.chunk(2)[1]))


@final
class _Pooling(Cell):
    """The pooling over time, whose input are the gates' sums, ``(N, G H)``."""

    def __init__(self, hidden_size: int, gates: Gates) -> None:
        super().__init__()
        self.input_size, self.output_size = (1 + len(gates)) * hidden_size, hidden_size
        self.state_sizes = (hidden_size,)
        self.gates = gates

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (c,) = state
        candidate, *sums = z.split(self.output_size, -1)
        candidate = self.drop_candidate(torch.tanh(candidate))
        f, *others = map(torch.sigmoid, sums)
        c = f * c + others[1] * candidate if self.gates == "ifo" else candidate + f * (c - candidate)
        return (others[0] * c if others else c), (c,)
