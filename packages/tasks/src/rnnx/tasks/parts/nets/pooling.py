"""One vector from the outputs at all steps of a text: what a label of the whole is told from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias, final

import torch
from torch import Tensor, nn

from rnnx.core.nets.linear import Linear

Pooling: TypeAlias = Literal["last", "mean", "max", "attention"]


class Pool(nn.Module, ABC):
    """Reads the outputs of a net, which are zero past each row's length.

    A row without a step gives zeros.

    Attributes:
        output_size: Width of what is given.
    """

    output_size: int

    @abstractmethod
    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        """Makes one vector of each row.

        Args:
            y: ``(N, T, H)``, zero past each row's length; ``T`` is at least 1.
            mask: ``(N, T)``, true at the real steps, which come first.

        Returns:
            ``(N, output_size)``.
        """


@final
class LastPool(Pool):
    """The output at the last step; of a net that reads both ways also that at the first, side by side.

    There the direction from the end has read all.

    Args:
        size: ``H``.
        bidirectional: Whether the net reads both ways.

    Example:
        >>> y, mask = torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([[True, True, False]])
        >>> LastPool(1)(y, mask).tolist(), LastPool(1, bidirectional=True)(y, mask).tolist()
        ([[2.0]], [[2.0, 1.0]])
    """

    def __init__(self, size: int, bidirectional: bool = False) -> None:
        super().__init__()
        self.bidirectional, self.output_size = bidirectional, 2 * size if bidirectional else size

    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        last = y[torch.arange(y.shape[0], device=y.device), (mask.sum(1) - 1).clamp(min=0)]  # (N, H)
        return torch.cat((last, y[:, 0]), -1) if self.bidirectional else last


@final
class MeanPool(Pool):
    """The mean over the steps.

    Args:
        size: ``H``.

    Example:
        >>> y, mask = torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([[True, True, False]])
        >>> MeanPool(1)(y, mask).tolist()
        [[1.5]]
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        return y.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


@final
class MaxPool(Pool):
    """The largest value over the steps, of each feature.

    Args:
        size: ``H``.

    Example:
        >>> y, mask = torch.tensor([[[-1.0], [-2.0], [0.0]]]), torch.tensor([[True, True, False]])
        >>> MaxPool(1)(y, mask).tolist()
        [[-1.0]]
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        largest = y.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)  # (N, H)
        return largest.masked_fill(~mask[:, :1], 0)


@final
class AttentionPool(Pool):
    """The mean weighted by ``softmax(v . tanh(W y + b))`` over the steps (Yang et al. 2016, eq. 5 to 7).

    Args:
        size: ``H``.

    Example:
        With no more than one step there is nothing to weigh:

        >>> AttentionPool(1)(torch.tensor([[[3.0], [0.0]]]), torch.tensor([[True, False]])).tolist()
        [[3.0]]
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.key = Linear(size, size)  # W, b
        self.energy = Linear(size, 1, bias=False)  # v
        self.output_size = size

    def forward(self, y: Tensor, mask: Tensor) -> Tensor:
        scores = self.energy(torch.tanh(self.key(y))).squeeze(-1)  # (N, T)
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        return (weights.unsqueeze(1) @ y).squeeze(1)


def pool(kind: Pooling, size: int, bidirectional: bool) -> Pool:
    """The pooling of a name.

    Args:
        kind: The name.
        size: ``H``, the width of the net's outputs.
        bidirectional: Whether the net reads both ways.
    """
    match kind:
        case "last":
            return LastPool(size, bidirectional)
        case "mean":
            return MeanPool(size)
        case "max":
            return MaxPool(size)
        case "attention":
            return AttentionPool(size)
