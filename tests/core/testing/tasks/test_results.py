from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.task import Loss
from rnnx.core.testing.tasks.results import assert_same_loss, losses, scores, total


def loss(total: float, count: int) -> Loss:
    return Loss(torch.tensor(total), torch.tensor(count))


def test_losses_add_up() -> None:
    assert [value.item() for value in total([loss(1.5, 2), loss(2.0, 3)])] == [3.5, 5]


def test_the_batch_that_differs_is_named() -> None:
    one = [loss(1.0, 2), loss(3.0, 4)]
    assert_same_loss(one, one, "changes")
    with pytest.raises(AssertionError, match=r"^the total of the loss of batch 2 changes: 3 became 3\.5$"):
        assert_same_loss([one[0], loss(3.5, 4)], one, "changes")
    with pytest.raises(AssertionError, match=r"^the count of the loss of batch 1 changes: 2 became 3$"):
        assert_same_loss([loss(9.0, 3), one[1]], one, "changes", tolerance=10.0)
    assert_same_loss([one[0], loss(3.5, 4)], one, "changes", tolerance=0.2)


class Pair(Metric):
    """Two numbers of one metric."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def update(self, batch: Batch) -> None:
        self.seen += batch.index.tolist()

    def compute(self) -> dict[str, float]:
        return {"low": min(self.seen), "high": max(self.seen)}


class Counter:
    """As much of a task as is asked for: its output is how many batches it has read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, batch: Batch) -> int:
        self.read += 1
        return self.read

    def loss(self, output: int, batch: Batch) -> Loss:
        return loss(float(output), len(batch))

    def metrics(self, split: str) -> dict[str, Metric]:
        return {"mean": MeanMetric(), "pair": Pair()} if split == "test" else {}

    def observe(self, metrics: dict[str, Metric], batch: Batch, output: int, loss: Loss, split: str) -> None:
        metrics["mean"].update(loss.total)
        metrics["pair"].update(batch)


def batch(*index: int) -> Batch:
    rows: Tensor = torch.tensor(index)
    return Batch(rows.unsqueeze(1), torch.ones_like(rows), rows, rows)


def test_batches_are_read_in_order() -> None:
    found = losses(Counter(), [batch(0, 1), batch(2)])  # type: ignore[arg-type]
    assert [(one.total.item(), one.count.item()) for one in found] == [(1, 2), (2, 1)]


def test_scores_are_those_of_all_batches_under_the_names_of_a_run() -> None:
    found = scores(Counter(), [batch(0, 1), batch(2)], "test")  # type: ignore[arg-type]
    assert found == {"mean": 1.5, "low": 0, "high": 2}
    assert scores(Counter(), [], "valid") == {}  # type: ignore[arg-type]
