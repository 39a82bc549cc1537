from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.shapes import (
    check_arguments_are_left_as_they_were,
    check_shapes_are_the_declared_ones,
)

But = Callable[..., type[Cell]]


def step_of(base: type[Cell], after: Callable[[Tensor, State], Any]) -> Callable[..., Any]:
    return lambda self, z, state: after(*base.step(self, z, state))


def test_right_cells_pass(right: type[Cell], unrolled: type[Cell]) -> None:
    for cell in (right, unrolled):
        check_shapes_are_the_declared_ones(cell)
        check_arguments_are_left_as_they_were(cell)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (lambda y, s: (y[:, :2], s), r"cell 'Wrong': the output of step is Tensor \(3, 2\), expected"),
        (lambda y, s: (y.float(), s), r"the output of step is torch.float32 for inputs of torch.float64"),
        (lambda y, s: (y, (s[0], s[1].float())), r"state tensor 2 of step is torch.float32"),
        (lambda y, s: y, r"cell 'Wrong': step gives Tensor \(3, 3\), expected a tuple of two"),
    ],
)
def test_a_step_of_other_shapes(right: type[Cell], but: But, after: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_shapes_are_the_declared_ones(but(right, step=step_of(right, after)))


@pytest.mark.parametrize(
    ("method", "function", "message"),
    [
        (
            "project",
            lambda self, x: type(self).__base__.project(self, x).flatten(1),
            r"what project gives for \(N, T, input_size\) has the shape \(4, \d+\), expected \(4, 5, \d+\)",
        ),
        (
            "initial_state",
            lambda self, n, x: (x.new_zeros(n, 24),),
            "cell 'Wrong': initial_state gives a tuple",
        ),
        (
            "initial_state",
            lambda self, n, x: (x.new_zeros(max(n, 3), 24),) * 2,
            r"state tensor 1 of initial_state has the shape \(3, 24\), expected \(0, 24\)",
        ),
        ("fold", lambda self, z, c, m: z[:, :3], "fold does not give two: the output and the state"),
        ("fold", lambda self, z, c, m: self.step(z, c), r"RuntimeError at conftest.py:\d+: "),
    ],
)
def test_other_methods_of_other_shapes(
    right: type[Cell], but: But, method: str, function: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_shapes_are_the_declared_ones(but(right, **{method: function}))


def test_a_wrong_input_size(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 6) -> None:
        right.__init__(self, input_size, hidden_size=hidden_size)
        self.input_size = 7

    with pytest.raises(AssertionError, match=r"^input_size is 7 where 5 was given$"):
        check_shapes_are_the_declared_ones(but(right, __init__=construct))


def changes_state(self: Any, z: Tensor, state: State) -> Any:
    state[1].add_(0.5)
    return z[:, :3], state


def changes_input(self: Any, z: Tensor, state: State) -> Any:
    z.mul_(0.5)
    return z[:, :3], state


def changes_children(self: Any, z: Tensor, children: State, mask: Tensor) -> Any:
    children[0].mul_(0.5)
    return z[:, :3], tuple(child[:, 0] for child in children)


def changes_everything(self: Any, x: Tensor, lengths: Tensor | None, state: State) -> Any:
    x.mul_(0.5)
    return x[..., :3], state


@pytest.mark.parametrize(
    ("method", "function", "message"),
    [
        ("project", lambda self, x: self.input(x.mul_(2)), "the input is changed in place by project: "),
        ("step", changes_state, "state tensor 2 is changed in place by step: "),
        ("step", changes_input, "the input is changed in place by step: "),
        ("fold", changes_children, "state tensor 1 is changed in place by fold: "),
        ("unroll", changes_everything, "the input is changed in place by unroll: "),
    ],
)
def test_arguments_written_to(right: type[Cell], but: But, method: str, function: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_arguments_are_left_as_they_were(but(right, **{method: function}))


def test_the_random_numbers_of_the_program_stay(right: type[Cell]) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_shapes_are_the_declared_ones(right)
    assert torch.equal(torch.rand(2), expected)
