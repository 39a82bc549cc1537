"""Dropout (Srivastava et al. 2014), drawn the faster way on each processor."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.nets.processor import OF_INTEL


@final
class Dropout(nn.Dropout):
    """As torch's: see :func:`dropout`.

    Args:
        p: The share that is dropped, 0 to 1.

    Raises:
        ValueError: it is no share.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)

    def forward(self, x: Tensor) -> Tensor:
        """Drops in training, and else gives what it is given."""
        return dropout(x, self.p, self.training)


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """As ``F.dropout``: in training each number is 0 with a probability, and else divided by that it is not.

    Args:
        x: Of any shape.
        p: The probability, 0 to 1.
        training: Whether anything is dropped.

    Raises:
        ValueError: ``p`` is no probability.

    Example:
        >>> x = torch.ones(4, 1000)
        >>> sorted(set(dropout(x, 0.75, training=True).flatten().tolist()))
        [0.0, 4.0]
    """
    # MKL draws true and false for torch; elsewhere they take three times as long as numbers from 0 to 1
    if OF_INTEL or x.device.type != "cpu" or not (training and 0 < p < 1):
        return F.dropout(x, p, training)
    return x * mask(x, p)


def mask(like: Tensor, p: float) -> Tensor:
    """What dropout multiplies with, of a tensor's shape and type, drawn as numbers from 0 to 1.

    Args:
        like: The tensor.
        p: As of :func:`dropout`, below 1.
    """
    numbers = torch.rand_like(like, dtype=torch.float32)  # all of 24 bits
    return numbers.ge_(p).to(like.dtype).div_(1 - p)
