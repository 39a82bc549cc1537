"""Linear layers, multiplied the faster way on each processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.nets import products
from rnnx.core.nets.products import addmm, is_onednn_faster, mm
from rnnx.core.unrolling.circumstances import watched

WITH_GRADIENT: Final = 4  # times the price, as autograd calls functions of Python's at a cost of their own


@final
class Linear(nn.Linear):
    """As torch's: see :func:`linear`.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        bias: Whether there is one.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in_features)`` becomes ``(..., out_features)``."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As ``F.linear``, by :mod:`rnnx.core.nets.products`.

    Args:
        x: ``(..., K)``.
        weight: ``(L, K)``.
        bias: ``(L,)``, if there is to be one.

    Returns:
        ``x @ weight.T + bias``, ``(..., L)``.

    Example:
        >>> x, weight, bias = torch.ones(4, 50, 300), torch.ones(400, 300), torch.ones(400)
        >>> torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))
        True
    """
    if watched() or x.is_meta or torch.is_autocast_enabled(x.device.type):  # sizes may be no numbers there
        return F.linear(x, weight, bias)
    learns = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias))
    price = WITH_GRADIENT if learns else 1
    if x.numel() * len(weight) < products.LARGE * price:
        return F.linear(x, weight, bias)
    rows = x.reshape(-1, x.shape[-1])  # (M, K)
    if not is_onednn_faster(rows, weight.t(), price):
        return F.linear(x, weight, bias)
    made = _apply(rows, weight, bias) if learns else _multiplied(rows, weight, bias)
    return made.view(*x.shape[:-1], len(weight))  # (..., L)


def _multiplied(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return mm(rows, weight.t()) if bias is None else addmm(bias, rows, weight.t())


@final
class _Linear(torch.autograd.Function):
    """Of rows ``(M, K)``, a weight ``(L, K)`` and a bias ``(L,)``; the gradients can be differentiated."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _multiplied(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        needs_rows, needs_weight, needs_bias = ctx.needs_input_grad
        (at,) = gradients  # (M, L)
        return (
            linear(at, weight.t()) if needs_rows else None,
            linear(at.t(), rows.t()) if needs_weight else None,
            at.sum(0) if needs_bias else None,
        )


_apply: Final[Callable[..., Tensor]] = _Linear.apply
