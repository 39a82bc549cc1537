from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.numerics import (
    check_bfloat16_stays_finite_and_close,
    check_every_parameter_gets_a_gradient,
    check_gradients_are_those_of_finite_differences,
    check_numbers_are_finite,
    check_saving_and_loading_change_nothing,
)

But = Callable[..., type[Cell]]


@pytest.mark.parametrize(
    "check",
    [
        check_bfloat16_stays_finite_and_close,
        check_every_parameter_gets_a_gradient,
        check_gradients_are_those_of_finite_differences,
        check_numbers_are_finite,
        check_saving_and_loading_change_nothing,
    ],
)
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell], but: But) -> None:
    check(right)
    check(unrolled)
    check(but(right, **CLOCK))


def clock_starts(self: Any, batch: int, like: Tensor) -> State:
    return like.new_zeros(batch, 24), like.new_zeros(batch, 1)


def clock_steps(self: Any, z: Tensor, state: State) -> Any:
    h, clock = state
    new = torch.tanh(z[:, :24] + self.past(h)[:, :24])
    h = torch.where(clock % 2 == 0, new, h)
    return self.output(h), (h, clock + 1)


def clock_is(self: Any, input_size: int, *, hidden_size: int = 24) -> None:
    super(type(self), self).__init__(input_size, hidden_size=hidden_size)
    self.state_sizes = (hidden_size, 1)


CLOCK = {"__init__": clock_is, "initial_state": clock_starts, "step": clock_steps}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda step: lambda self, z, state: step(self, z, tuple(s.detach() for s in state)),
            r"the gradient of \S+ \S+ at equal lengths is \S+ along a random direction where finite diff",
        ),
        (
            lambda step: lambda self, z, state: step(self, z * z.detach(), state),
            r"the gradient of the input at equal lengths is \S+ along a random direction where finite diff",
        ),
    ],
)
def test_wrong_gradients(right: type[Cell], but: But, wrong: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_gradients_are_those_of_finite_differences(but(right, step=wrong(right.step)))


def test_wrong_gradients_in_trees_alone(right: type[Cell], but: But) -> None:
    def fold(self: Any, z: Tensor, children: State, mask: Tensor) -> Any:
        return right.fold(self, z, tuple(child.detach() for child in children), mask)

    message = r"^the gradient of .* of a tree is \S+ along a random direction where finite diff"
    with pytest.raises(AssertionError, match=message):
        check_gradients_are_those_of_finite_differences(but(right, fold=fold))


def constructor(base: type[Cell], then: Callable[[Any], None]) -> Callable[..., None]:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        base.__init__(self, input_size, hidden_size=hidden_size)
        then(self)

    return construct


def test_a_parameter_that_is_not_used(right: type[Cell], but: But) -> None:
    def idle(self: Any) -> None:
        self.scale = nn.Parameter(torch.ones(3))

    message = "^no gradient reaches parameter scale from the output of a sequence$"
    with pytest.raises(AssertionError, match=message):
        check_every_parameter_gets_a_gradient(but(right, __init__=constructor(right, idle)))


def test_a_cell_without_parameters(right: type[Cell], but: But) -> None:
    def freeze(self: Any) -> None:
        self.requires_grad_(False)

    with pytest.raises(AssertionError, match=r"^the cell has no parameter to train$"):
        check_every_parameter_gets_a_gradient(but(right, __init__=constructor(right, freeze)))


def test_a_tensor_that_is_not_saved(right: type[Cell], but: But) -> None:
    def keep(self: Any) -> None:
        self.scale = torch.rand(3, dtype=torch.double)

    def step(self: Any, z: Tensor, state: State) -> Any:
        y, state = right.step(self, z, state)
        return y * self.scale, state

    wrong = but(right, __init__=constructor(right, keep), step=step)
    message = "^output at step 1 changes when the weights are saved and loaded, as a tensor is "
    with pytest.raises(AssertionError, match=message):
        check_saving_and_loading_change_nothing(wrong)


def test_weights_that_are_more_than_tensors(right: type[Cell], but: But) -> None:
    wrong = but(
        right, get_extra_state=lambda self: Exception("kept"), set_extra_state=lambda self, state: None
    )
    with pytest.raises(AssertionError, match=r"^UnpicklingError: .*[Ww]eights.only"):
        check_saving_and_loading_change_nothing(wrong)


def rounded(y: Tensor) -> Tensor:
    """8 bits keep 300 and 302 apart, nothing between; it should be ``y``."""
    return (y + 300) - 300


@pytest.mark.parametrize(
    ("change", "became"),
    [(rounded, r"\S+"), (lambda y: y + 0.01 * torch.log(rounded(y.square())), "-inf")],
)
def test_numbers_that_8_bits_cannot_hold(right: type[Cell], but: But, change: Any, became: str) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        y, state = right.step(self, z, state)
        return change(y), state

    message = rf"^output at step \d at equal lengths changes under bfloat16 autocast: \S+ became {became}$"
    with pytest.raises(AssertionError, match=message):
        check_bfloat16_stays_finite_and_close(but(right, step=step))


def test_a_gradient_that_is_not_finite_in_8_bits(right: type[Cell], but: But) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        y, state = right.step(self, z, state)
        return y + 0.01 * torch.sqrt(rounded(y.square())), state  # whose slope at 0 is infinite

    message = r"^the gradient of parameter '\S+' at equal lengths is not finite under bfloat16 autocast$"
    with pytest.raises(AssertionError, match=message):
        check_bfloat16_stays_finite_and_close(but(right, step=step))


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda y, h, m: (y, (h, m + torch.nan)), "state tensor 2 has numbers not finite"),
        (
            lambda y, h, m: (y / (h[:, :3] != 0).double(), (h, m)),
            "the output at step 1 has numbers not finite",
        ),
    ],
)
def test_numbers_that_are_none(right: type[Cell], but: But, spoilt: Any, message: str) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        y, (h, m) = right.step(self, z, tuple(torch.zeros_like(tensor) for tensor in state))
        return spoilt(y, h if "tensor 2" in message else torch.zeros_like(h), m)

    with pytest.raises(AssertionError, match=f"^{message}$"):
        check_numbers_are_finite(but(right, step=step))


def test_a_start_that_is_learnt_gets_its_gradient(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        self.start = nn.Parameter(torch.zeros(hidden_size))

    def starts(self: Any, batch: int, like: Tensor) -> State:
        return self.start.expand(batch, -1), like.new_zeros(batch, len(self.start))

    check_every_parameter_gets_a_gradient(but(right, __init__=construct, initial_state=starts))
    with pytest.raises(AssertionError, match=r"^no gradient reaches parameter start from the output"):
        check_every_parameter_gets_a_gradient(but(right, __init__=construct))
