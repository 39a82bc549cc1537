"""Which learning rate to begin with: the loss while it grows (Smith 2017, "Cyclical learning rates")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from lightning.pytorch.tuner.tuning import Tuner

from rnnx.core.errors import RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.running.quiet import quiet
from rnnx.core.running.trainer import Trainer
from rnnx.core.task import Task


@final
@dataclass(frozen=True)
class RateTest:
    """What was found.

    Attributes:
        rates: Learning rates, rising.
        losses: The smoothed training loss at each.
        suggestion: Where the loss falls most steeply; None where it never falls.
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
    with quiet(), TemporaryDirectory() as folder:
        data, task = experiment.prepare()
        if not isinstance(task, Task):
            raise UsageError("baseline: expected a net, as a baseline has no learning rate")
        options = experiment.config.trainer | {"max_steps": -1, "max_epochs": steps, "max_time": None}
        trainer = Trainer(**options).build(Path(folder), [], [])
        found = Tuner(trainer).lr_find(
            task,
            data.loader("train"),
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
    return RateTest([rate for rate, _ in pairs], [loss for _, loss in pairs], found.suggestion())
