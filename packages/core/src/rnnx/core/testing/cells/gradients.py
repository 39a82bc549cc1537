"""Gradients of what was read, as the checks hold them against others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnx.core.testing.cells.results import Result


def gradients(result: Result, of: Sequence[Tensor]) -> list[Tensor]:
    """Those of the sum of the squares of outputs and states; zeros where nothing depends on a tensor.

    Example:
        >>> x = torch.tensor([[[3.]]], requires_grad=True)
        >>> gradients((2 * x, (x[:, 0],)), [x])
        [tensor([[[30.]]])]
    """
    y, state = result
    total = y.square().sum()
    for tensor in state:
        total = total + tensor.square().sum()
    found = torch.autograd.grad(total, list(of), allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(of, found, strict=True)]
