"""The norm of a step's gradients, which several ask for."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from rnnx.core.running.optimizers import trained


@final
class GradientNorm:
    """The Euclidean norm of all gradients of a step, before they are clipped; found once a step.

    The watch over numbers that are none, the log and the clipping all ask for it. It is kept until
    :meth:`forget` is called, as a task does where a step begins.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0, 2.0]))
        >>> norm, optimizer = GradientNorm(), torch.optim.SGD([weight], lr=1.0)
        >>> (weight @ torch.tensor([3.0, 4.0])).backward()
        >>> norm.of(optimizer).item()
        5.0
    """

    def __init__(self) -> None:
        self._found: Tensor | None = None

    def of(self, optimizer: torch.optim.Optimizer) -> Tensor:
        """That of the parameters that an optimiser steps, a scalar; those without a gradient are left out."""
        if self._found is None:
            gradients = [p.grad for p in trained(optimizer) if p.grad is not None]
            self._found = nn.utils.get_total_norm(gradients)
        return self._found

    def forget(self) -> None:
        """Other gradients are made."""
        self._found = None
