"""How a layer's input goes round it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from rnnx.core.nets.linear import Linear


class Skip(nn.Module, ABC):
    """How a layer's input goes round it: ``(x, y) -> the input of the next layer``.

    Attributes:
        output_size: Width of the result.
    """

    output_size: int

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins a layer's input and output.

        Args:
            x: ``(..., input_size)``.
            y: ``(..., width)``.

        Returns:
            ``(..., output_size)``.
        """


@final
class Plain(Skip):
    """No way round: the layer's output."""

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return y


@final
class Residual(Skip):
    """The sum of input and output (He et al. 2016; Prakash et al. 2016).

    The input is projected where the widths differ.
    """

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width
        self.carry = nn.Identity() if input_size == width else Linear(input_size, width, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.carry(x) + y


@final
class Dense(Skip):
    """Input and output side by side (Huang et al. 2017)."""

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = input_size + width

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat((x, y), -1)


@final
class Highway(Skip):
    """A gate chooses between output and input: ``t y + (1 - t) x``, ``t = sigmoid(W x + b)``.

    Srivastava et al. 2015. The bias starts at -1, so that the input is carried at first, as in the paper.
    """

    def __init__(self, input_size: int, width: int) -> None:
        super().__init__()
        self.output_size = width
        self.carry = nn.Identity() if input_size == width else Linear(input_size, width, bias=False)
        self.gate = Linear(input_size, width)
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        carry = self.carry(x)
        return carry + torch.sigmoid(self.gate(x)) * (y - carry)


SKIPS: dict[str, Callable[[int, int], Skip]] = {
    "none": Plain,
    "residual": Residual,
    "dense": Dense,
    "highway": Highway,
}
