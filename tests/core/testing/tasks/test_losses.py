from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.task import Loss
from rnnx.core.testing.tasks.losses import (
    check_padding_changes_nothing,
    check_the_gradient_of_a_batch_is_that_of_its_parts,
    check_the_loss_is_a_total_and_a_count,
    check_the_loss_of_a_batch_is_that_of_its_rows,
)

CHECKS = [
    check_padding_changes_nothing,
    check_the_gradient_of_a_batch_is_that_of_its_parts,
    check_the_loss_is_a_total_and_a_count,
    check_the_loss_of_a_batch_is_that_of_its_rows,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(check: Any, first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check(first, sequences())
    check(following, texts())


def loses(base: Any, change: Callable[[Tensor, Tensor], Any]) -> Callable[..., Loss]:
    """A loss made of the right total and count."""

    def loss(self: Any, output: Tensor, batch: Batch) -> Loss:
        right = base.loss(self, output, batch)
        return Loss(*change(right.total, right.count))

    return loss


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, n: (t, 7), "the count of the loss of batch 1 is no tensor without dimensions"),
        (
            lambda t, n: (t.unsqueeze(0), n),
            "the total of the loss of batch 1 is no tensor without dimensions",
        ),
        (
            lambda t, n: (t * torch.nan, n),
            "the total of the loss of batch 1 is nan, expected a finite number",
        ),
        (lambda t, n: (t.detach(), n), "the total of the loss of batch 1 has no graph"),
        (lambda t, n: (t, 0 * n), "the count of the loss of batch 1 is 0"),
        (lambda t, n: (t, n * (n > 3)), "the count of the loss of batch 2 is 0"),
    ],
)
def test_losses_of_another_form(first: Any, sequences: Any, but: Any, change: Any, message: str) -> None:
    class Five(sequences):  # type: ignore[misc]
        batch_size = 6

        def order(self, split: Any) -> list[int]:
            return [*range(9)]

    with pytest.raises(AssertionError, match=f"^{message}$"):
        check_the_loss_is_a_total_and_a_count(but(first, loss=loses(first, change)), Five())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, n: (t / n, n), "the total of the loss is not the sum of its rows', each read alone: "),
        (lambda t, n: (t, n + 1), "the count of the loss is not the sum of its rows', each read alone: "),
    ],
)
def test_losses_that_do_not_add_up(first: Any, sequences: Any, but: Any, change: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^{message}[-.\d]+ became [-.\d]+$"):
        check_the_loss_of_a_batch_is_that_of_its_rows(but(first, loss=loses(first, change)), sequences())


def centred(base: Any) -> Callable[..., Tensor]:
    def forward(self: Any, batch: Batch) -> Tensor:
        output: Tensor = base.forward(self, batch)
        return output - output.mean(0)

    return forward


def test_neighbours_that_count(first: Any, sequences: Any, following: Any, texts: Any, but: Any) -> None:
    with pytest.raises(
        AssertionError, match=r"^the total of the loss is not the sum of its rows', each read"
    ):
        check_the_loss_of_a_batch_is_that_of_its_rows(but(first, forward=centred(first)), sequences())
    message = r"^the total of the loss of batch 1 in a row is not the sum of its rows', each read alone: "
    with pytest.raises(AssertionError, match=message):
        check_the_loss_of_a_batch_is_that_of_its_rows(but(following, forward=centred(following)), texts())


def test_a_carried_state_that_knows_its_neighbours(following: Any, texts: Any, but: Any) -> None:
    """The first batch is read rightly, the second from another row's state."""

    def forward(self: Any, batch: Batch) -> Tensor:
        output: Tensor = following.forward(self, batch)
        self.carried[self.training] = tuple(state.roll(1, 0) for state in self.carried[self.training])
        return output

    message = "^the total of the loss of batch 2 in a row is not the sum of its rows', each read alone: "
    with pytest.raises(AssertionError, match=message):
        check_the_loss_of_a_batch_is_that_of_its_rows(but(following, forward=forward), texts())


def test_a_carried_state_is_carried_by_each_row(following: Any, texts: Any, but: Any) -> None:
    """A state that is forgotten changes the loss, but no row of it more than another."""

    def forward(self: Any, batch: Batch) -> Tensor:
        output: Tensor = following.forward(self, batch)
        self.carried[self.training] = tuple(0 * state for state in self.carried[self.training])
        return output

    check_the_loss_of_a_batch_is_that_of_its_rows(but(following, forward=forward), texts())


class Mean(torch.autograd.Function):
    """Gives what it gets, and in the backward pass the mean of the batch."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        return y.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.mean(0).expand_as(gradient)


@pytest.mark.parametrize(("task", "data"), [("first", "sequences"), ("following", "texts")])
def test_a_gradient_that_knows_its_neighbours(
    task: str, data: str, but: Any, request: pytest.FixtureRequest
) -> None:
    base, data_class = request.getfixturevalue(task), request.getfixturevalue(data)
    wrong = but(base, forward=lambda self, batch: Mean.apply(base.forward(self, batch)))
    check_the_loss_of_a_batch_is_that_of_its_rows(wrong, data_class())
    message = r"^the gradient of parameter '\S+' over a batch is not the sum of its parts': \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_the_gradient_of_a_batch_is_that_of_its_parts(wrong, data_class())


def all_steps(self: Any, batch: Batch) -> Tensor:
    """The mean over all steps, padding too."""
    y, _ = self.encoder(self.embedding(batch.inputs), batch.lengths)
    return self.output(y.mean(1))


def padding_is_read(self: Any, batch: Batch) -> Tensor:
    y, _ = self.encoder(self.embedding(batch.inputs))
    return self.output(y.sum(1) / 4)


def last_place(self: Any, batch: Batch) -> Tensor:
    """The last step of the batch, where a short row has its padding."""
    y, _ = self.encoder(self.embedding(batch.inputs), batch.lengths)
    return self.output(y[:, -1])


@pytest.mark.parametrize("forward", [all_steps, padding_is_read, last_place])
def test_padding_that_counts(first: Any, sequences: Any, but: Any, forward: Any) -> None:
    wrong = but(first, forward=forward)
    message = "^the total of the loss of batch 1 changes when padding is added and other values stand in it: "
    with pytest.raises(AssertionError, match=message):
        check_padding_changes_nothing(wrong, sequences())
    with pytest.raises(
        AssertionError, match=r"^the total of the loss is not the sum of its rows', each read"
    ):
        check_the_loss_of_a_batch_is_that_of_its_rows(wrong, sequences())


def test_what_stands_in_the_padding_counts_where_there_are_targets_along_the_steps(
    following: Any, texts: Any, but: Any
) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        return following.forward(self, batch) * (1 + 0.1 * batch.inputs[:, -1:, None])

    message = "^the total of the loss of batch 2 changes when padding is added and other values stand in it: "
    with pytest.raises(AssertionError, match=message):
        check_padding_changes_nothing(but(following, forward=forward), texts())


def test_the_setting_that_is_wrong_is_named(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Batch) -> Tensor:
        return (all_steps if self.doubled else first.forward)(self, batch)

    with pytest.raises(AssertionError, match=r"^with task.doubled=true: the total of the loss of batch 1 "):
        check_padding_changes_nothing(but(first, forward=forward), sequences())
