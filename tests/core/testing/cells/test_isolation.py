from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.isolation import (
    check_neighbours_change_nothing,
    check_padding_changes_nothing,
    check_rows_can_change_places,
    check_the_gradient_of_a_batch_is_that_of_its_rows,
)

But = Callable[..., type[Cell]]


@pytest.mark.parametrize(
    "check",
    [
        check_neighbours_change_nothing,
        check_padding_changes_nothing,
        check_rows_can_change_places,
        check_the_gradient_of_a_batch_is_that_of_its_rows,
    ],
)
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell]) -> None:
    check(right)
    check(unrolled)


def reads(base: type[Cell], change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    return lambda self, x, lengths, state: base.unroll(self, change(x), lengths, state)


def padding_gives_output(base: type[Cell]) -> Callable[..., Any]:
    def unroll(self: Any, x: Tensor, lengths: Tensor | None, state: State) -> Any:
        y, after = base.unroll(self, x, lengths, state)
        if lengths is not None and x.shape[1] > 5:
            y = y + (torch.arange(x.shape[1]) > 5).unsqueeze(-1)
        return y, after

    return unroll


def padding_gets_gradient(base: type[Cell]) -> Callable[..., Any]:
    def unroll(self: Any, x: Tensor, lengths: Tensor | None, state: State) -> Any:
        y, after = base.unroll(self, x, lengths, state)
        return y + (x - x.detach()).sum((1, 2), keepdim=True) * (y != 0), after

    return unroll


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda base: reads(base, lambda x: x - 1e-6 * x.mean(1, keepdim=True)),
            "output at step 1 changes when padding is added: ",
        ),
        (padding_gives_output, "output at step 7 in the padding is not zero$"),
        (padding_gets_gradient, "gradient of the input at step 2 in the padding is not zero$"),
    ],
)
def test_padding_that_counts(unrolled: type[Cell], but: But, wrong: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_padding_changes_nothing(but(unrolled, unroll=wrong(unrolled)))


def centred(base: type[Cell]) -> Callable[..., Any]:
    """Statistics over the batch, the classic way to know one's neighbours."""
    return lambda self, z, state: base.step(self, z - z.mean(0), state)


def test_neighbours_that_count(right: type[Cell], but: But) -> None:
    message = "^output at step 1 changes with the other rows of the batch: "
    with pytest.raises(AssertionError, match=message):
        check_neighbours_change_nothing(but(right, step=centred(right)))


def test_neighbours_in_trees_that_count(right: type[Cell], but: But) -> None:
    def fold(self: Any, z: Tensor, children: State, mask: Tensor) -> Any:
        return right.fold(self, z - z.mean(0), children, mask)

    message = "^output at node 1 of a tree changes with the other rows of the batch: "
    with pytest.raises(AssertionError, match=message):
        check_neighbours_change_nothing(but(right, fold=fold))


class Mean(torch.autograd.Function):
    """Gives what it gets, and in the backward pass the mean of the batch."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return z.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.mean(0).expand_as(gradient)


def test_a_gradient_that_knows_its_neighbours(right: type[Cell], but: But) -> None:
    wrong = but(right, step=lambda self, z, state: right.step(self, Mean.apply(z), state))
    check_neighbours_change_nothing(wrong)
    message = r"^the gradient of parameter '\S+' over a batch is not the sum of its rows': \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_the_gradient_of_a_batch_is_that_of_its_rows(wrong)


def test_rows_that_have_their_places(right: type[Cell], but: But) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        return right.step(self, z + 0.1 * torch.arange(len(z)).unsqueeze(1), state)

    message = "^the output of step changes when the rows of input and state are put in another order, "
    with pytest.raises(AssertionError, match=message):
        check_rows_can_change_places(but(right, step=step))


def test_a_state_whose_rows_have_their_places(right: type[Cell], but: But) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        y, (h, m) = right.step(self, z, state)
        return y, (h, m + 0.1 * torch.arange(len(z)).unsqueeze(1))

    with pytest.raises(
        AssertionError, match=r"^state tensor 2 changes when the rows of input and state are put"
    ):
        check_rows_can_change_places(but(right, step=step))


def test_a_state_of_which_a_part_stays_behind(right: type[Cell], but: But) -> None:
    """What a beam search cannot reorder, as it is not in the state."""

    def step(self: Any, z: Tensor, state: State) -> Any:
        before = getattr(self, "kept", None)
        y, state = right.step(self, z, state)
        if before is not None and len(before) <= len(y):
            y = y + torch.nn.functional.pad(before, (0, 0, 0, len(y) - len(before)))
        self.kept = y.detach()
        return y, state

    with pytest.raises(AssertionError, match=r"^the output of step changes when the rows"):
        check_rows_can_change_places(but(right, step=step))
