"""Which learning rate to begin with: the loss while it grows (Smith 2017, "Cyclical learning rates")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, final

import numpy as np
from lightning.pytorch.tuner.tuning import Tuner

from rnnx.core import processes
from rnnx.core.errors import RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.running.joining import joined
from rnnx.core.running.quiet import quiet
from rnnx.core.running.trainer import Trainer
from rnnx.core.task import Task

UNSETTLED: Final = 10  # losses


@final
@dataclass(frozen=True)
class RateTest:
    """What was found.

    Attributes:
        rates: Learning rates, rising.
        losses: The smoothed training loss at each.
        suggestion: See :func:`steepest`.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    suggestion: float | None


def learning_rates(experiment: Experiment, lowest: float, highest: float, steps: int) -> RateTest:
    """Trains a new model for some steps, each with a higher rate, and keeps nothing of it.

    Args:
        experiment: What is to be trained.
        lowest: The rate at the first step, above 0.
        highest: The rate at the last step; the test ends before where the loss is four times the best.
        steps: How many.

    Raises:
        UsageError: there is nothing to be trained, or the rates are not above 0, or in the wrong order.
        RunError: the loss is no number from the beginning.
    """
    if not 0 < lowest < highest < math.inf:
        raise UsageError(
            "expected a lowest learning rate above 0 and a highest above that, got "
            f"{lowest:g} and {highest:g}"
        )
    config = experiment.config
    alone = config.baseline is not None
    with (
        quiet(),
        TemporaryDirectory() as folder,
        nullcontext() if alone else joined(config.trainer),
    ):
        with processes.together():
            data, task = experiment.prepare()
        if not isinstance(task, Task):
            raise UsageError("baseline: expected a net, as a baseline has no learning rate")
        options = config.trainer | {"max_steps": -1, "max_epochs": steps, "max_time": None}
        plan, batches = Trainer(**options), data.loader("train")
        plan.check_batches({"train": len(batches)})
        found = Tuner(plan.build(Path(folder), [], [])).lr_find(
            task,
            batches,
            min_lr=lowest,
            max_lr=highest,
            num_training=steps,
            update_attr=False,
        )
    assert found is not None
    pairs = [
        (rate, loss)
        for rate, loss in zip(found.results["lr"], found.results["loss"], strict=False)
        if math.isfinite(loss)
    ]
    if not pairs:
        raise RunError("the loss is no number even at the lowest rate; look at the data and the options")
    rates, losses = [rate for rate, _ in pairs], [loss for _, loss in pairs]
    return RateTest(rates, losses, steepest(rates, losses))


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """The learning rate at which a loss falls most steeply, by the logarithm of the rate.

    So it does not matter where the test began. The first ten losses, whose running mean is of few, and the
    last are left out.

    Args:
        rates: Each so many times the one before.
        losses: At each, smoothed.

    Returns:
        The rate; None where the loss never falls, or fewer than two are left.

    Example:
        >>> rates = [10.0 ** (place / 10) for place in range(-60, 1)]
        >>> losses = [2 - min(max(math.log10(rate) + 3, 0), 1) ** 2 for rate in rates]
        >>> f"{steepest(rates, losses):.2g}"  # it falls from 0.001 on, most steeply just before 0.01
        '0.0079'
    """
    rates, losses = rates[UNSETTLED:-1], losses[UNSETTLED:-1]
    if len(rates) < 2:
        return None
    slopes = np.gradient(losses)
    place = int(slopes.argmin())
    return rates[place] if slopes[place] < 0 else None
