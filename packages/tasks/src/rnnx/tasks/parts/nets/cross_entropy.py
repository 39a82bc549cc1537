"""The cross-entropy of a linear output layer, however many outputs it has, without all their scores at once.

After Liger Kernel's fused linear cross-entropy (Hsu et al. 2024) and cut cross-entropy (Wijmans et al. 2025),
in torch alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.nets.linear import linear
from rnnx.core.nets.products import mm

IGNORED: Final = -100  # the target of a place that counts for nothing, as in torch
ALIGNMENT: Final = 16  # numbers in a cache line; MKL takes 1.5 times as long where rows start elsewhere
ROWS: Final = 512  # places, at least, whose scores are held at once; fewer make the matrix products slower
FEW: Final = 2**20  # scores that are held at once in any case


def cross_entropy(output: nn.Linear, features: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """The sum of the cross-entropies in nats, as ``F.cross_entropy(output(features), targets)`` has it.

    Where there are more than a million scores, those of 512 places at a time are made and forgotten, and the
    gradient, if there is to be one, is made with them, in the forward pass. So memory grows by
    ``places * H + V * H``, not by ``places * V``, and no product is made twice.

    Args:
        output: The layer, from ``H`` to ``V``.
        features: What it reads, ``(..., H)``.
        targets: Which output is right, ``(...)``; -100 where none is asked for.
        smoothing: Share of the probability that is spread over all outputs (Szegedy et al. 2016).

    Returns:
        A scalar, of 32 bits at least.

    Example:
        >>> layer = nn.Linear(3, 5)
        >>> features, targets = torch.randn(2, 4, 3), torch.tensor([[0, 1, 2, 3], [4, 0, -100, -100]])
        >>> plain = F.cross_entropy(layer(features).flatten(0, 1), targets.flatten(), reduction="sum")
        >>> torch.testing.assert_close(cross_entropy(layer, features, targets), plain)
    """
    rows, right = features.flatten(0, -2), targets.flatten()
    weight, bias = output.weight, output.bias
    if len(right) * len(weight) <= FEW:
        return _plain(rows, weight, bias, right, smoothing)
    real = right != IGNORED
    rows, right = rows[real], right[real]  # (M, H), (M,)
    if torch.is_grad_enabled():
        total: Tensor = _CrossEntropy.apply(rows, weight, bias, right, smoothing)  # type: ignore[no-untyped-call]
        return total
    pieces = _pieces(rows, right, len(weight))
    return torch.stack([_plain(few, weight, bias, some, smoothing) for few, some in pieces]).sum()


@final
class _CrossEntropy(torch.autograd.Function):
    """Of features ``(M, H)``, a weight ``(V, H)``, a bias ``(V,)`` and targets ``(M,)``."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> Tensor:
        size = len(weight)
        more = -size % ALIGNMENT  # outputs of probability 0, so that the rows of all products are whole lines
        wide_weight = F.pad(weight, (0, 0, 0, more))  # (V', H)
        wide_bias = F.pad(bias, (0, more), value=-torch.inf)
        of_weight = torch.zeros_like(wide_weight) if weight.requires_grad else None
        of_bias = torch.zeros_like(wide_bias)
        of_features, totals = list[Tensor](), list[Tensor]()
        for rows, right in _pieces(features, targets, size):
            scores = linear(rows, wide_weight, wide_bias)  # (m, V')
            dtype = torch.promote_types(scores.dtype, torch.float32)
            at = right.unsqueeze(1)
            top = scores.amax(1, keepdim=True)
            gradient = scores.softmax(1, dtype)
            losses = (top.to(dtype) - scores.gather(1, at)) * (1 - smoothing)
            losses -= gradient.amax(1, keepdim=True).log()  # at least 1 / V, so it does not vanish
            if smoothing:
                losses += (top - scores[:, :size].mean(1, keepdim=True, dtype=dtype)) * smoothing
                gradient[:, :size] -= smoothing / size
            totals.append(losses.sum())
            gradient.scatter_add_(1, at, torch.full_like(losses, smoothing - 1))
            of_bias += gradient.sum(0)
            gradient = gradient.to(scores.dtype)
            of_features.append(mm(gradient, wide_weight.to(scores.dtype)))
            if of_weight is not None:
                of_weight += mm(gradient.T, rows.to(scores.dtype))
        ctx.smoothing = smoothing
        made = torch.cat(of_features), None if of_weight is None else of_weight[:size], of_bias[:size]
        ctx.save_for_backward(features, weight, bias, targets, *made)
        return torch.stack(totals).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, bias, targets, *made = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return *(None if one is None else one * gradients[0] for one in made), None, None
        # a gradient that is to have gradients itself is made in torch's operations
        views = [tensor.view_as(tensor) for tensor in (features, weight, bias)]  # none is made of another
        total = _plain(views[0], views[1], views[2], targets, ctx.smoothing)
        needed = [view for view in views if view.requires_grad]
        found = iter(torch.autograd.grad(total, needed, gradients[0], create_graph=True))
        return *(next(found) if view.requires_grad else None for view in views), None, None


def _plain(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The same with all scores at once."""
    scores = linear(features, weight, bias)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return F.cross_entropy(scores, targets, reduction="sum", label_smoothing=smoothing)


def _pieces(features: Tensor, targets: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Features and targets in parts, about equal, of which each has few scores: ``size`` for each target."""
    count = max(1, -(-len(features) // max(ROWS, FEW // size)))
    return zip(features.tensor_split(count), targets.tensor_split(count), strict=True)
