r"""Three steps of gates that see two inputs, in two thirds of the multiplications.

The gates' sums of three steps one after the other, after the input :math:`x_0`,

.. math::
    a_1 &= W x_1 + V x_0 \\
    a_2 &= W x_2 + V x_1 \\
    a_3 &= W x_3 + V x_2

are six products with a matrix. Winograd's minimal filtering ("Arithmetic complexity of computations", 1980;
Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1) makes them of four:

.. math::
    m_0 &= V (x_0 - x_2) \\
    m_1 &= \tfrac{1}{2} (W + V) (x_1 + x_2) \\
    m_2 &= \tfrac{1}{2} (W - V) (x_1 - x_2) \\
    m_3 &= W (x_3 - x_1) \\
    a_1 &= m_1 + m_2 + m_0 \\
    a_2 &= m_1 - m_2 \\
    a_3 &= m_1 + m_2 + m_3

So are their gradients made. The numbers are added in another order, and differ from the plain sums by what
rounding does.
"""

from __future__ import annotations

from typing import Final, final

import torch
from torch import Tensor

from rnnx.cells.normalization import Normalization
from rnnx.core.cell import Cell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import counted, watched

TOGETHER: Final = 3  # steps
# From which on the additions cost less than is saved: so many steps, rows of all steps, and numbers in a row,
# of which a product without gradients needs more.
LONG: Final = 32
MANY: Final = 512
WIDE: Final = 128
WIDE_WITHOUT_GRADIENT: Final = 256


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether three steps at once are faster than one by one, and as exact: on a CPU, in 32 bits.

    Not where something looks at each operation, and would count too few.

    Args:
        x: ``(N, T, I)``.
        weight: ``W`` and ``V``, ``(2 P, I)``.
    """
    rows, steps, width = x.shape
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    return (
        steps >= LONG
        and rows * steps >= MANY
        and width >= (WIDE if learns else WIDE_WITHOUT_GRADIENT)
        and x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not (watched() or counted())
    )


def windows(x: Tensor) -> Tensor:
    """Four inputs side by side, the last of which is the first of the next four.

    Args:
        x: ``(N, 3 M + 1, I)``.

    Returns:
        ``(N, M, 4 I)``, which lies step by step.

    Example:
        >>> windows(torch.arange(7).reshape(1, 7, 1)).tolist()
        [[[0, 1, 2, 3], [3, 4, 5, 6]]]
    """
    by_step = x.transpose(0, 1)  # (3 M + 1, N, I)
    threes = by_step[1:].unflatten(0, (-1, TOGETHER)).unbind(1)  # (M, N, I) each
    return torch.cat((by_step[:-1:TOGETHER], *threes), -1).transpose(0, 1)  # (N, M, 4 I)


@final
class ThreeSteps(Cell):
    """Three steps of another cell, as one: its state is that cell's, its output the three side by side.

    Args:
        weight: ``W`` and ``V``, ``(2 P, I)``.
        bias: Added to the sums, ``(P,)``.
        norm: What becomes of the sums before the bias.
        step: The cell that reads the sums, ``(N, P)``.

    Example:
        >>> from rnnx.cells import normalization
        >>> from rnnx.core.engine import scan
        >>> class Reader(Cell):
        ...     input_size, output_size, state_sizes = 1, 1, (1,)
        ...     def step(self, z, state):
        ...         return z, (z,)
        >>> weight = torch.tensor([[1.], [10.]])  # the number, and ten times the one before it
        >>> cell = ThreeSteps(weight, torch.zeros(1), normalization.of_sums(False, 1), Reader())
        >>> scan(cell, windows(torch.arange(7.).reshape(1, 7, 1)))[0].tolist()
        [[[1.0, 12.0, 23.0], [34.0, 45.0, 56.0]]]
    """

    def __init__(self, weight: Tensor, bias: Tensor, norm: Normalization, step: Cell) -> None:
        super().__init__()
        self.weight, self.bias, self.norm, self.one = weight, bias, norm, step
        self.input_size = (TOGETHER + 1) * weight.shape[1]
        self.output_size, self.state_sizes = TOGETHER * step.output_size, step.state_sizes

    def project(self, x: Tensor) -> Tensor:
        x0, x1, x2, x3 = x.chunk(4, -1)
        w, v = self.weight.chunk(2)
        m0 = linear(x0 - x2, v)
        m1 = linear(x1 + x2, (w + v) / 2, self.norm.bias_inside(self.bias))
        m2 = linear(x1 - x2, (w - v) / 2)
        m3 = linear(x3 - x1, w)
        return torch.cat((m0, m1, m2, m3), -1)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        m0, m1, m2, m3 = z.chunk(4, -1)
        common = m1 + m2
        outputs = []
        for sums in (common + m0, m1 - m2, common + m3):
            y, state = self.one.step(self.norm(sums, self.bias), state)
            outputs.append(y)
        return torch.cat(outputs, -1), state
