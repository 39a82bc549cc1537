"""Checks of what a cell takes and gives: shapes, and arguments left as they were."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnx.core import engine
from rnnx.core.contract import hold_to_contract
from rnnx.core.state import State
from rnnx.core.testing.cells.check import of_each_setting
from rnnx.core.testing.cells.results import assert_same_state
from rnnx.core.testing.cells.subject import INPUT_SIZE, Subject
from rnnx.core.testing.cells.ways import ROWS, STEPS
from rnnx.core.testing.comparison import assert_same, assert_shape, require


@of_each_setting
def check_shapes_are_the_declared_ones(subject: Subject) -> None:
    """Input, output and state have the declared sizes and the input's type, a row for a row."""
    cell, x = subject.cell, subject.x
    said = getattr(cell, "input_size", INPUT_SIZE)
    require(said == INPUT_SIZE, f"input_size is {said} where {INPUT_SIZE} was given")
    hold_to_contract(cell, subject.cell_class.__name__)
    z = cell.project(x)
    assert_shape(z, (ROWS, STEPS, z.shape[-1]), "what project gives for (N, T, input_size)")
    assert_shape(cell.project(x[:, 0]), (ROWS, z.shape[-1]), "what project gives for (N, input_size)")
    for rows in (ROWS, 0):
        _assert_state(subject, cell.initial_state(rows, x), rows, "initial_state")
    state = cell.initial_state(ROWS, x)
    _assert_result(subject, *cell.step(z[:, 0], state), "step")
    children = tuple(tensor.unsqueeze(1).expand(-1, 2, -1) for tensor in state)
    mask = torch.tensor([[True, True], [True, False], [False, False], [True, True]])
    folded = cell.fold(z[:, 0], children, mask)
    require(type(folded) is tuple and len(folded) == 2, "fold does not give two: the output and the state")
    _assert_result(subject, *folded, "fold")


@of_each_setting
def check_arguments_are_left_as_they_were(subject: Subject) -> None:
    """No method writes to its input or to the state it is given."""
    cell, x, state = subject.cell, subject.x, subject.state
    mask = torch.ones(ROWS, 1, dtype=torch.bool)
    with torch.no_grad():
        z = cell.project(x)[:, 0].clone()
        _assert_left("project", lambda: cell.project(x), x, ())
        _assert_left("step", lambda: cell.step(z, state), z, state)
        _assert_left("fold", lambda: cell.fold(z, tuple(s.unsqueeze(1) for s in state), mask), z, state)
        _assert_left("unroll", lambda: engine.scan(cell, x, None, state), x, state)


def _assert_left(method: str, call: Callable[[], object], given: Tensor, state: State) -> None:
    before, states_before = given.clone(), tuple(tensor.clone() for tensor in state)
    call()
    fault = f"is changed in place by {method}"
    assert_same(given.nan_to_num(), before.nan_to_num(), "the input", fault)
    after, wanted = (tuple(map(torch.nan_to_num, tensors)) for tensors in (state, states_before))
    assert_same_state(after, wanted, fault)


def _assert_result(subject: Subject, y: Tensor, state: State, method: str) -> None:
    assert_shape(y, (ROWS, subject.cell.output_size), f"the output of {method}")
    require(y.dtype == torch.double, f"the output of {method} is {y.dtype} for inputs of {torch.double}")
    _assert_state(subject, state, ROWS, method)


def _assert_state(subject: Subject, state: State, rows: int, method: str) -> None:
    sizes = subject.cell.state_sizes
    require(
        type(state) is tuple and type(sizes) is tuple and len(state) == len(sizes) > 0,
        f"the state of {method} is not a tuple of as many tensors as state_sizes says, {sizes!r}",
    )
    for number, (tensor, size) in enumerate(zip(state, sizes, strict=True), 1):
        what = f"state tensor {number} of {method}"
        assert_shape(tensor, (rows, size), what)
        require(tensor.dtype == torch.double, f"{what} is {tensor.dtype} for inputs of {torch.double}")
