"""Dropout (Srivastava et al. 2014), drawn the faster way on each processor."""

from __future__ import annotations

from functools import cache
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@final
class Dropout(nn.Module):
    """As ``torch.nn.Dropout``: see :func:`dropout`.

    Args:
        p: The share that is dropped, 0 to 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drops in training, and else gives what it is given."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """As ``F.dropout``: in training each number is 0 with a probability, and else divided by that it is not.

    Where MKL does not draw for torch, as on AMD's CPUs, true and false take three times as long to draw as
    numbers between 0 and 1, which are drawn there.

    Args:
        x: Of any shape.
        p: The probability, 0 to 1.
        training: Whether anything is dropped.

    Example:
        >>> x = torch.ones(4, 1000)
        >>> sorted(set(dropout(x, 0.75, training=True).flatten().tolist()))
        [0.0, 4.0]
        >>> dropout(x, 0.75, training=False) is x
        True
    """
    if not training or p == 0:
        return x
    if p == 1 or x.device.type != "cpu" or _of_intel():
        return F.dropout(x, p)
    return x * mask(x, p)


def mask(like: Tensor, p: float) -> Tensor:
    """What dropout multiplies with, of a tensor's shape and type.

    Args:
        like: The tensor.
        p: As of :func:`dropout`, below 1.
    """
    numbers = torch.rand(like.shape, dtype=torch.float32, device=like.device)  # all of 24 bits
    return numbers.ge_(p).to(like.dtype).div_(1 - p)


@cache
def _of_intel() -> bool:
    """Whether this is a processor on which MKL draws for torch."""
    return "Intel" in torch.cpu.get_capabilities().get("cpu_name", "")
