"""How the learning rate goes over a training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, final

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from rnnx.core.bounds import Count, Fraction, NonNegative, Positive, Rate, Share


@final
class Scheduler(NamedTuple):
    """A scheduler and when it moves.

    Attributes:
        scheduler: torch's object.
        interval: Whether it moves each step, each epoch or with each validation.
    """

    scheduler: LRScheduler | ReduceLROnPlateau
    interval: Literal["step", "epoch", "validation"]


class Schedule(ABC):
    """A recipe for a learning-rate schedule; a plugin of the entry-point group ``rnnx.schedules``."""

    @abstractmethod
    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        """The scheduler of an optimiser.

        Args:
            optimizer: The optimiser.
            steps: The number of optimiser steps of the whole training.
            mode: Whether the monitored metric is to fall or to rise.
        """


@final
class Constant(Schedule):
    """The same rate throughout, after an optional linear warm-up.

    Args:
        warmup: Steps over which the rate rises to its full value.
    """

    def __init__(self, *, warmup: Count = 0) -> None:
        self.warmup = warmup

    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        return Scheduler(LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (self.warmup + 1))), "step")


@final
class Exponential(Schedule):
    """The full rate for some epochs, then multiplied by a factor each epoch.

    Zaremba et al. 2014 hold it for 4 epochs and then halve it each epoch.

    Args:
        factor: What the rate is multiplied by.
        hold: Epochs at the full rate.

    Example:
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> scheduler = Exponential(factor=0.5, hold=2).build(optimizer, 0, "min").scheduler
        >>> rates = []
        >>> for _ in range(4):
        ...     rates.append(optimizer.param_groups[0]["lr"])
        ...     optimizer.step(); scheduler.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, *, factor: Fraction = 0.5, hold: Count = 1) -> None:
        self.factor, self.hold = factor, hold

    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        return Scheduler(
            LambdaLR(optimizer, lambda epoch: self.factor ** max(0, epoch + 1 - self.hold)), "epoch"
        )


@final
class Plateau(Schedule):
    """The rate falls when the monitored validation metric has stopped improving, ``ReduceLROnPlateau``.

    Any better value is an improvement.

    Args:
        factor: What the rate is multiplied by.
        patience: Validations without improvement that are waited for.
        min_lr: The rate never falls below this.
    """

    def __init__(self, *, factor: Rate = 0.5, patience: Count = 1, min_lr: NonNegative = 1e-6) -> None:
        self.factor, self.patience, self.min_lr = factor, patience, min_lr

    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        scheduler = ReduceLROnPlateau(
            optimizer, mode, self.factor, self.patience, threshold=0.0, min_lr=self.min_lr, eps=0.0
        )
        return Scheduler(scheduler, "validation")


@final
class Cosine(Schedule):
    """A linear warm-up, then half a cosine down to a fraction of the rate (Loshchilov & Hutter 2017).

    Args:
        warmup: Steps over which the rate rises to its full value.
        final: The rate of the last step as a fraction of the full one.
    """

    def __init__(self, *, warmup: Count = 0, final: Share = 0.01) -> None:
        self.warmup, self.final = warmup, final

    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        return Scheduler(LambdaLR(optimizer, lambda step: self._fraction(step, steps)), "step")

    def _fraction(self, step: int, steps: int) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        done = (step - self.warmup) / max(1, steps - 1 - self.warmup)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@final
class InverseSqrt(Schedule):
    """A linear warm-up, then the rate falls with the inverse square root of the steps (Vaswani et al. 2017).

    Step ``n``, from 1, has the rate times ``min(n / warmup, sqrt(warmup / n))``. The paper's rate (Noam's) is
    this one where ``optimizer.lr`` is ``size ** -0.5 * warmup ** -0.5``, for a model of that size.

    Args:
        warmup: Steps over which the rate rises to its full value; 4000 are the paper's.

    Example:
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> scheduler = InverseSqrt(warmup=2).build(optimizer, 0, "min").scheduler
        >>> rates = []
        >>> for _ in range(8):
        ...     rates.append(round(optimizer.param_groups[0]["lr"], 2))
        ...     optimizer.step(); scheduler.step()
        >>> rates
        [0.5, 1.0, 0.82, 0.71, 0.63, 0.58, 0.53, 0.5]
    """

    def __init__(self, *, warmup: Positive = 4000) -> None:
        self.warmup = warmup

    def build(self, optimizer: torch.optim.Optimizer, steps: int, mode: Literal["min", "max"]) -> Scheduler:
        return Scheduler(LambdaLR(optimizer, lambda step: self._fraction(step + 1)), "step")

    def _fraction(self, number: int) -> float:
        return min(number / self.warmup, math.sqrt(self.warmup / number))
