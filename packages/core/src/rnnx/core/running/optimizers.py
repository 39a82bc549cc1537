"""The optimisers a user can name: torch's own, with torch's names of their options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import nn

from rnnx.core.bounds import AboveZero, NonNegative, Rate
from rnnx.core.errors import UsageError


class Optimizer(ABC):
    """A recipe for an optimiser; a plugin of the entry-point group ``rnnx.optimizers``."""

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""


def trained(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """The parameters that an optimiser steps; modules take long to list theirs.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> [tuple(parameter.shape) for parameter in trained(SGD().build(layer.parameters()))]
        [(3, 2), (3,)]
    """
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@final
class SGD(Optimizer):
    """Stochastic gradient descent, ``torch.optim.SGD``.

    Args:
        lr: Learning rate.
        momentum: Momentum factor.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: L2 penalty.

    Raises:
        UsageError: it is to be Nesterov's and there is none.
    """

    def __init__(
        self,
        *,
        lr: AboveZero = 1.0,
        momentum: Rate = 0.0,
        nesterov: bool = False,
        weight_decay: NonNegative = 0.0,
    ) -> None:
        if nesterov and not momentum:
            raise UsageError(
                "optimizer.nesterov: expected a momentum above 0, got 0; set optimizer.momentum, as to 0.9"
            )
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        return torch.optim.SGD(
            parameters,
            self.lr,
            self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=_fused(parameters),
        )


@final
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), ``torch.optim.Adam``.

    Args:
        lr: Learning rate.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        *,
        lr: AboveZero = 2e-3,
        betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: NonNegative = 1e-8,
        weight_decay: NonNegative = 0.0,
    ) -> None:
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        return torch.optim.Adam(
            parameters, self.lr, self.betas, self.eps, self.weight_decay, fused=_fused(parameters)
        )


@final
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), ``torch.optim.AdamW``.

    Args:
        lr: Learning rate.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Weight decay, apart from the gradient.
    """

    def __init__(
        self,
        *,
        lr: AboveZero = 2e-3,
        betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: NonNegative = 1e-8,
        weight_decay: NonNegative = 0.01,
    ) -> None:
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        return torch.optim.AdamW(
            parameters, self.lr, self.betas, self.eps, self.weight_decay, fused=_fused(parameters)
        )


@final
class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton 2012), ``torch.optim.RMSprop``.

    Args:
        lr: Learning rate.
        alpha: Decay of the running mean of the squared gradient.
        eps: Added to the denominator.
        momentum: Momentum factor.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        *,
        lr: AboveZero = 2e-3,
        alpha: Rate = 0.99,
        eps: NonNegative = 1e-8,
        momentum: Rate = 0.0,
        weight_decay: NonNegative = 0.0,
    ) -> None:
        self.lr, self.alpha, self.eps, self.momentum, self.weight_decay = (
            lr,
            alpha,
            eps,
            momentum,
            weight_decay,
        )

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters, self.lr, self.alpha, self.eps, self.weight_decay, self.momentum
        )


@final
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011), ``torch.optim.Adagrad``.

    Args:
        lr: Learning rate.
        eps: Added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self, *, lr: AboveZero = 0.05, eps: NonNegative = 1e-10, weight_decay: NonNegative = 0.0
    ) -> None:
        self.lr, self.eps, self.weight_decay = lr, eps, weight_decay

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        return torch.optim.Adagrad(
            parameters, self.lr, weight_decay=self.weight_decay, eps=self.eps, fused=_fused(parameters)
        )


def _fused(parameters: Sequence[nn.Parameter]) -> bool | None:
    """Torch's fused step on a CPU, where it is several times faster; elsewhere None: torch's own choice.

    A plain False would also turn off the step over all tensors at once, which is torch's choice on a GPU.
    """
    return all(parameter.device.type == "cpu" for parameter in parameters) or None
