"""What a task makes of batches: losses and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.core.task import Loss, Task
from rnnx.core.testing.comparison import TOLERANCE, assert_same


def losses(task: Task, batches: Iterable[Batch]) -> list[Loss]:
    """The loss of each batch, read in order."""
    return [task.loss(task(batch), batch) for batch in batches]


def total(found: Sequence[Loss]) -> tuple[Tensor, Tensor]:
    """The totals and the counts of several losses, added up."""
    return torch.stack([loss.total for loss in found]).sum(), torch.stack([one.count for one in found]).sum()


def updated(task: Task, batches: Iterable[Batch], split: Split) -> Mapping[str, Metric]:
    """The metrics of a split, had it these batches."""
    metrics = task.metrics(split)
    for batch in batches:
        output = task(batch)
        task.observe(metrics, batch, output, task.loss(output, batch), split)
    return metrics


def scores(task: Task, batches: Iterable[Batch], split: Split) -> dict[str, float]:
    """What the metrics of a split compute, had it these batches."""
    found: dict[str, float] = {}
    for name, metric in updated(task, batches, split).items():
        value = metric.compute()
        numbers = value if isinstance(value, dict) else {name: value}
        found |= {key: float(number) for key, number in numbers.items()}
    return found


def assert_same_loss(
    found: Sequence[Loss], wanted: Sequence[Loss], fault: str, tolerance: float = TOLERANCE
) -> None:
    """Whether the losses of batches agree, count first; batches are counted from 1.

    Raises:
        AssertionError: they differ.
    """
    for number, (one, other) in enumerate(zip(found, wanted, strict=True), 1):
        assert_same(one.count, other.count, f"the count of the loss of batch {number}", fault, 0.0)
        assert_same(one.total, other.total, f"the total of the loss of batch {number}", fault, tolerance)
