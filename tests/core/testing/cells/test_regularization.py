from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells import regularization
from rnnx.core.testing.cells.regularization import (
    check_recurrent_dropout_acts,
    check_variational_dropout_acts,
    check_weight_drop_acts,
    check_zoneout_acts,
)

But = Callable[..., type[Cell]]
CHECKS = [
    check_recurrent_dropout_acts,
    check_variational_dropout_acts,
    check_weight_drop_acts,
    check_zoneout_acts,
]


class Leaky(Cell):
    """A cell without matrices of the past, whose output is its state."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, 6, (6,)
        self.input, self.past = nn.Linear(input_size, 6), nn.Linear(6, 6)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = 0.5 * state[0] + self.drop_candidate(torch.tanh(self.input(z)))
        return h, (h,)


@pytest.mark.parametrize("check", CHECKS)
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell]) -> None:
    check(right)
    check(unrolled)
    check(Leaky)


def copied(self: Any, z: Tensor, state: State) -> Any:
    y, state = Leaky.step(self, z, state)
    return 1.0 * y, state


def restless(self: Any, z: Tensor, state: State) -> Any:
    y, (h,) = Leaky.step(self, z, state)
    return y, (h + 0.1 * torch.rand_like(h),)


def another_in_training(self: Any, z: Tensor, state: State) -> Any:
    y, (h,) = Leaky.step(self, z, state)
    return y, (h if self.training else 2 * h,)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (copied, "the output is not state tensor 1 after zoneout, as step gives a copy of it: "),
        (restless, "state tensor 1 with zoneout is neither the old nor the new one$"),
        (another_in_training, "state tensor 1 in evaluation is not the mean of old and new: "),
    ],
)
def test_a_state_that_zoneout_does_not_reach(but: But, step: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_zoneout_acts(but(Leaky, step=step))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_zoneout_of_nothing_or_of_everything(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regularization, "RATE", rate)
    with pytest.raises(AssertionError, match=r"^state tensor 1 is the same with zoneout and without$"):
        check_zoneout_acts(Leaky)


def holding(base: type[Cell]) -> dict[str, Any]:
    """A cell that multiplies by a matrix it has put aside: no net can change it."""

    def construct(self: Any, input_size: int) -> None:
        base.__init__(self, input_size)
        self.held = [self.past.weight]

    def step(self: Any, z: Tensor, state: State) -> Any:
        h, m = state
        a, g = (z + F.linear(h, self.held[0], self.past.bias)).chunk(2, -1)
        m = 0.5 * m + torch.tanh(a)
        h = torch.tanh(m) * torch.sigmoid(g)
        return self.output(h), (h, m)

    return {"__init__": construct, "step": step}


def test_matrices_that_cannot_be_dropped(right: type[Cell], but: But) -> None:
    wrong = but(right, **holding(right))
    message = "^output at step 1 at equal lengths with {} is not as if the cell were so changed by hand: "
    with pytest.raises(AssertionError, match=message.format("weight drop")):
        check_weight_drop_acts(wrong)
    with pytest.raises(AssertionError, match=message.format("variational dropout of the state")):
        check_variational_dropout_acts(wrong)


def unrolls(base: type[Cell], wrong: Callable[[Any, Tensor, Tensor | None], Tensor]) -> Callable[..., Any]:
    """Reads other inputs where they are unrolled."""
    return lambda self, x, lengths, state: base.unroll(self, wrong(self, x, lengths), lengths, state)


def test_a_faster_way_in_training_alone(unrolled: type[Cell], but: But) -> None:
    for check, what in (
        (check_weight_drop_acts, "weight drop"),
        (check_variational_dropout_acts, "variational dropout"),
    ):
        wrong = unrolls(
            unrolled, lambda self, x, lengths: x if lengths is None or not self.training else 2 * x
        )
        message = f"^output at step 1 with {what} is not as if the cell were so changed by hand: "
        with pytest.raises(AssertionError, match=message):
            check(but(unrolled, unroll=wrong))


def test_a_faster_way_in_evaluation_alone(unrolled: type[Cell], but: But) -> None:
    """The subject itself is in training, so evaluation is what differs."""
    wrong = unrolls(unrolled, lambda self, x, lengths: x if self.training else 2 * x)
    for check, what in (
        (check_weight_drop_acts, "weight drop"),
        (check_variational_dropout_acts, "variational dropout"),
    ):
        message = f"^output at step 1 at equal lengths changes in evaluation with {what}: "
        with pytest.raises(AssertionError, match=message):
            check(but(unrolled, unroll=wrong))


def test_steps_that_are_not_those_of_the_whole(right: type[Cell], but: But) -> None:
    wrong = but(right, project=lambda self, x: self.input(x) * (2 if x.shape[:-1] == (4,) else 1))
    for check, what in (
        (check_weight_drop_acts, "weight drop"),
        (check_variational_dropout_acts, "variational dropout"),
    ):
        message = (
            f"^output at step 1 at equal lengths with {what} is not .* by hand, when read step by step: "
        )
        with pytest.raises(AssertionError, match=message):
            check(wrong)


@pytest.mark.parametrize(
    ("check", "what"),
    [
        (check_weight_drop_acts, "weight drop"),
        (check_variational_dropout_acts, "variational dropout"),
    ],
)
def test_a_dropout_of_nothing(
    right: type[Cell], check: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regularization, "RATE", 0.0)
    with pytest.raises(
        AssertionError, match=f"^{what} does nothing: outputs and states are those of the cell"
    ):
        check(right)


@pytest.mark.parametrize(
    ("check", "option"),
    [(check_weight_drop_acts, "weight_drop"), (check_variational_dropout_acts, "variational_state")],
)
def test_a_net_that_refuses_nothing(
    right: type[Cell], check: Any, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a matrix of the past were none."""
    monkeypatch.setattr(regularization, "recurrent_matrices", lambda cell: [])
    with pytest.raises(
        AssertionError, match=f"^net.{option} is not refused, though there is nothing to drop$"
    ):
        check(right)


def dropping(drop: Callable[[Any, Tensor], Tensor], memory: float = 0.5) -> Callable[..., Any]:
    """A step that drops its candidate in a way of its own."""

    def step(self: Any, z: Tensor, state: State) -> Any:
        h = memory * state[0] + drop(self, torch.tanh(self.input(z)))
        return h, (h,)

    return step


def all_of_it(self: Any, z: Tensor, state: State) -> Any:
    h = self.drop_candidate(0.5 * state[0] + torch.tanh(self.input(z)))
    return h, (h,)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (all_of_it, "nothing of the state is left when the candidate is dropped: the memory is dropped too$"),
        (
            dropping(lambda self, g: F.dropout(g, self.recurrent_dropout)),
            "output at step 1 changes in evaluation with recurrent dropout: ",
        ),
        (
            dropping(lambda self, g: F.dropout(g, float(self.recurrent_dropout == 1), self.training)),
            "recurrent dropout does nothing: outputs and states are those of the cell without it$",
        ),
    ],
)
def test_a_candidate_that_is_dropped_otherwise(but: But, step: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_recurrent_dropout_acts(but(Leaky, step=step))


def test_the_cells_of_the_subject_are_left_as_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for check in CHECKS:
        check(Leaky)
    assert torch.equal(torch.rand(2), expected)
