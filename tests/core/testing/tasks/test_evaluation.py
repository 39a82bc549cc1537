from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.testing.tasks.evaluation import (
    check_every_metric_is_updated,
    check_metrics_do_not_depend_on_the_batch_size,
    check_nothing_is_drawn_at_random_in_evaluation,
    check_observing_leaves_the_loss_alone,
)

CHECKS = [
    check_every_metric_is_updated,
    check_metrics_do_not_depend_on_the_batch_size,
    check_nothing_is_drawn_at_random_in_evaluation,
    check_observing_leaves_the_loss_alone,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def test_dropout_that_is_never_off(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        return F.dropout(first.forward(self, batch), 0.1)

    message = r"^the total of the loss of batch 1 changes when the same batch is read again in evaluation: "
    with pytest.raises(AssertionError, match=message):
        check_nothing_is_drawn_at_random_in_evaluation(but(first, forward=forward), sequences())


def test_a_state_that_is_never_let_go(following: Any, texts: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        if not self.carried:
            return following.forward(self, batch)
        y, after = self.recurrent(F.one_hot(batch.inputs, 5).double(), batch.lengths, self.carried[False])
        self.carried[False] = after
        return self.output(y)

    message = r"^the total of the loss of batch 1 changes when the same batch is read again in evaluation: "
    with pytest.raises(AssertionError, match=message):
        check_nothing_is_drawn_at_random_in_evaluation(but(following, forward=forward), texts())


def observes(change: Callable[..., Any]) -> Callable[..., None]:
    """An observation that does something with the output and the loss as well."""

    def observe(self: Any, metrics: Any, batch: Any, output: Any, loss: Any, split: str) -> None:
        metrics["accuracy"].update(0.0)
        change(self, output, loss, split)

    return observe


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_metric_that_is_never_updated(first: Any, sequences: Any, but: Any, split: str) -> None:
    def observe(self: Any, metrics: Any, batch: Any, output: Any, loss: Any, observed: str) -> None:
        metrics["accuracy"].update(1.0)
        if observed != split:
            metrics["edit"].update(1.0)

    wrong = but(
        first, metrics=lambda self, asked: {"accuracy": MeanMetric(), "edit": MeanMetric()}, observe=observe
    )
    message = rf"^observe never updates 'edit', of the metrics of {split}; update it, or leave it out$"
    with pytest.raises(AssertionError, match=message):
        check_every_metric_is_updated(wrong, sequences())


def in_place(tensor: Tensor) -> None:
    with torch.no_grad():
        tensor.mul_(2)


def frozen(self: Any, output: Any, loss: Any, split: str) -> None:
    loss.total.backward(retain_graph=True)
    with torch.no_grad():
        self.output.weight.zero_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda self, output, loss, split: in_place(loss.total),
            r"the total of the loss changes when the metrics of valid observe the batch: \S+ became \S+$",
        ),
        (
            lambda self, output, loss, split: in_place(loss.total) if split == "test" else None,
            r"the total of the loss changes when the metrics of test observe the batch: \S+ became \S+$",
        ),
        (
            lambda self, output, loss, split: in_place(loss.count),
            r"the count of the loss changes when the metrics of valid observe the batch: 6 became 12$",
        ),
        (lambda self, output, loss, split: loss.total.detach_(), r"RuntimeError: .*require"),
        (lambda self, output, loss, split: loss.total.backward(), r"RuntimeError: .*second time"),
        (
            lambda self, output, loss, split: output.register_hook(lambda gradient: 2 * gradient),
            "the gradient of parameter ",
        ),
    ],
)
def test_observers_that_change_the_loss(
    first: Any, sequences: Any, but: Any, change: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_observing_leaves_the_loss_alone(but(first, observe=observes(change)), sequences())


class Unweighted(Metric):
    """The mean of the batches' means."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.means: list[Tensor] = []

    def update(self, values: Tensor) -> None:
        self.means.append(values.double().mean())

    def compute(self) -> Tensor:
        return torch.stack(self.means).mean()


class Named(MeanMetric):
    """A number named after how many batches there were."""

    def compute(self) -> Any:
        return {f"accuracy{self.update_count}": super().compute()}


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_metric_of_batches(first: Any, sequences: Any, but: Any, split: str) -> None:
    wrong = but(
        first,
        metrics=lambda self, asked: {"accuracy": Unweighted() if asked == split else MeanMetric()},
        observe=lambda self, metrics, batch, output, loss, split: metrics["accuracy"].update(
            batch.index.double() ** 2
        ),
    )
    message = rf"^{split}/accuracy changes with the size of the batches: \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_metrics_do_not_depend_on_the_batch_size(wrong, sequences())


def test_a_metric_of_batches_that_go_on(following: Any, texts: Any, but: Any) -> None:
    """The last stream is shorter, so its loss weighs less than that of the others."""

    def observe(self: Any, metrics: Any, batch: Any, output: Any, loss: Any, split: str) -> None:
        metrics["nats"].update(loss.total / loss.count)

    with pytest.raises(AssertionError, match=r"^valid/nats changes with the size of the batches: "):
        check_metrics_do_not_depend_on_the_batch_size(but(following, observe=observe), texts())


def test_a_metric_without_a_name_of_its_own(first: Any, sequences: Any, but: Any) -> None:
    wrong = but(first, metrics=lambda self, split: {"accuracy": Named()})
    with pytest.raises(AssertionError, match=r"^the metrics of valid are not always of the same names$"):
        check_metrics_do_not_depend_on_the_batch_size(wrong, sequences())


def test_a_split_in_one_piece_is_replaced_by_the_training_data(following: Any, texts: Any, but: Any) -> None:
    """One row cannot be cut in two, so a wrong metric would go unseen."""

    class OnePiece(texts):  # type: ignore[misc]
        def loader(self, split: Any) -> Any:
            self.streams = 3 if split == "train" else 1
            return [self.batch(split, number) for number in range(self.batches)]

    def observe(self: Any, metrics: Any, batch: Any, output: Any, loss: Any, split: str) -> None:
        metrics["nats"].update(loss.total / loss.count)

    check_metrics_do_not_depend_on_the_batch_size(following, OnePiece())
    with pytest.raises(AssertionError, match=r"^valid/nats changes with the size of the batches: "):
        check_metrics_do_not_depend_on_the_batch_size(but(following, observe=observe), OnePiece())
