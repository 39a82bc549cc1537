r"""Layer normalisation of the sums that gates read, and of a memory (Ba, Kiros & Hinton 2016).

.. math::
    \mathrm{LN}(a) = g \odot (a - \mu) / \sqrt{\sigma^2 + 10^{-5}}

with the mean and the variance over the features of ``a``. The gain ``g`` is learned and starts at 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.nets.linear import linear


class Normalization(ABC):
    """What becomes of a sum ``W x`` before its bias is added."""

    @abstractmethod
    def bias_inside(self, bias: Tensor) -> Tensor:
        """What is added in the product itself: the bias where nothing is normalised, else zeros.

        Where something is, the bias comes after ``LN``, from :meth:`__call__`.

        Args:
            bias: ``(size)``.
        """

    @abstractmethod
    def __call__(self, sums: Tensor, bias: Tensor | None = None) -> Tensor:
        """``LN(W x) + b``.

        Args:
            sums: ``W x``, ``(..., size)``, with :meth:`bias_inside`.
            bias: ``(size)``, if there is one.

        Returns:
            ``(..., size)``.
        """

    @final
    def linear(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """``LN(W x) + b`` from ``x``.

        Args:
            x: ``(..., I)``.
            weight: ``(size, I)``.
            bias: ``(size)``.

        Returns:
            ``(..., size)``.
        """
        return self(linear(x, weight, self.bias_inside(bias)), bias)


def of_sums(layer_norm: bool, *sizes: int) -> Normalization:
    """The normalisation of a cell's sums; without one its ``linear`` is torch's.

    Args:
        layer_norm: Whether there is one.
        sizes: How many features are normalised together, how many after them together, and so on.

    Example:
        >>> of_sums(True, 2, 3)(torch.tensor([4., 2., 7., 7., 7.])).tolist()
        [0.99..., -0.99..., 0.0, 0.0, 0.0]
        >>> of_sums(False, 2, 3)(torch.tensor([4., 2., 7., 7., 7.])).tolist()
        [4.0, 2.0, 7.0, 7.0, 7.0]
    """
    return _LayerNorm(sizes) if layer_norm else _Bare()


def of_layers(layer_norm: bool, layers: int, size: int) -> Sequence[Normalization]:
    """Normalisations of the sums of several layers within a cell, each of ``size`` features."""
    if not layer_norm:
        return [_Bare()] * layers
    return cast("Sequence[Normalization]", nn.ModuleList(_LayerNorm((size,)) for _ in range(layers)))


def of_memory(layer_norm: bool, size: int) -> Callable[[Tensor], Tensor]:
    """The normalisation of a memory ``(..., size)`` on its way to the output, with gain and bias."""
    return nn.LayerNorm(size) if layer_norm else _Bare()


@final
class _Bare(Normalization):
    """None; and no module, as to find and call one takes as long as a small cell's activation."""

    def bias_inside(self, bias: Tensor) -> Tensor:
        return bias

    def __call__(self, sums: Tensor, bias: Tensor | None = None) -> Tensor:
        return sums


@final
class _LayerNorm(nn.Module, Normalization):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        self.gain = nn.Parameter(torch.ones(sum(sizes)))

    def bias_inside(self, bias: Tensor) -> Tensor:
        return torch.zeros_like(bias)

    def forward(self, sums: Tensor, bias: Tensor | None = None) -> Tensor:
        parts = zip(sums.split(self.sizes, -1), self.gain.split(self.sizes), strict=True)
        normalized = torch.cat([F.layer_norm(part, gain.shape, gain) for part, gain in parts], -1)
        return normalized if bias is None else normalized + bias
