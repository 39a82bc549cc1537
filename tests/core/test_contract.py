from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.contract import hold_to_contract
from rnnx.core.errors import RunError
from rnnx.core.state import State


class Pair(NamedTuple):
    h: Tensor
    n: Tensor


class Leaky(Cell):
    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 2, 4, (4, 1)
        self.linear = nn.Linear(2, 4)

    def step(self, z: Tensor, state: State) -> Any:
        h, n = state
        h = h + self.linear(z)
        return h, (h, n + 1)


def problem(cell: Any) -> str:
    with pytest.raises(RunError) as refused:
        hold_to_contract(cell, "mine")
    return str(refused.value)


@pytest.mark.parametrize("name", sorted(entry.name for entry in entry_points(group="rnnx.cells")))
def test_every_cell_here_holds_to_it(name: str) -> None:
    (entry,) = entry_points(group="rnnx.cells", name=name)
    for dtype in (torch.float32, torch.float64):
        hold_to_contract(entry.load()(3, hidden_size=8).to(dtype), name)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"input_size": None}, "expected input_size to be an integer that its constructor sets, got None"),
        ({"output_size": "4"}, "expected output_size to be an integer that its constructor sets, got '4'"),
        ({"state_sizes": 4}, "expected state_sizes to be a tuple of the state's widths, as (128,), got 4"),
        ({"state_sizes": ()}, "expected state_sizes to be a tuple of the state's widths, as (128,), got ()"),
    ],
)
def test_sizes_that_are_none(sizes: dict[str, Any], told: str) -> None:
    cell = Leaky()
    for name, value in sizes.items():
        setattr(cell, name, value)
    assert problem(cell) == f"cell 'mine': {told}"


def test_sizes_that_are_not_there() -> None:
    cell = Leaky()
    del cell.state_sizes
    assert problem(cell).endswith("as (128,), got None")


def test_what_is_no_cell() -> None:
    assert problem(nn.LSTM(2, 4)) == "cell 'mine': expected a rnnx.core.cell.Cell, got LSTM"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (lambda y, s: y, "step gives Tensor (3, 4), expected a tuple of two: the output and the state"),
        (lambda y, s: (y[:, 0], s), "the output of step is Tensor (3,), expected Tensor (3, 4)"),
        (lambda y, s: (y[:2], s), "the output of step is Tensor (2, 4), expected Tensor (3, 4)"),
        (
            lambda y, s: (y, s[:1]),
            "the state of step is a tuple of Tensor (3, 4), expected a tuple of Tensor (3, 4), Tensor (3, 1)",
        ),
        (
            lambda y, s: (y, ()),
            "the state of step is a tuple of nothing, expected a tuple of Tensor (3, 4), Tensor (3, 1)",
        ),
    ],
)
def test_a_step_that_gives_something_else(after: Callable[..., Any], told: str) -> None:
    class Wrong(Leaky):
        def step(self, z: Tensor, state: State) -> Any:
            return after(*super().step(z, state))

    assert problem(Wrong()) == f"cell 'mine': {told}"


def test_what_reads_well_holds_to_it_too() -> None:
    """Other kinds of sequences and of integers, and what the cell works out."""

    class Other(Leaky):
        def __init__(self) -> None:
            super().__init__()
            self.input_size, self.state_sizes = np.int64(2), torch.Size([4, 1])  # type: ignore[assignment]

        def step(self, z: Tensor, state: State) -> Any:
            assert self.training
            y, after = super().step(z, state)
            with_gradient = torch.autograd.grad(y.sum(), [self.linear.weight], create_graph=True)
            return [y + 0 * with_gradient[0].sum(), Pair(*after)]

    hold_to_contract(Other(), "mine")


def test_a_start_of_another_form() -> None:
    class Wrong(Leaky):
        def initial_state(self, batch: int, like: Tensor) -> State:
            return (like.new_zeros(batch, 4),)

    assert problem(Wrong()).startswith(
        "cell 'mine': initial_state gives a tuple of Tensor (3, 4), expected a "
    )


def test_a_step_that_fails_is_told_with_its_line() -> None:
    class Wrong(Leaky):
        def step(self, z: Tensor, state: State) -> Any:
            (h,) = state
            return h, (h,)

    with pytest.raises(
        RunError, match=r"^cell 'mine': a step of 3 rows fails: ValueError at test_contract.py:\d+: too many "
    ) as told:
        hold_to_contract(Wrong(), "mine")
    assert type(told.value.__cause__) is ValueError


def test_it_changes_nothing() -> None:
    class Changing(Leaky):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def step(self, z: Tensor, state: State) -> Any:
            return super().step(self.norm(z) + np.random.rand() + torch.rand(()), state)

    cell = Changing()
    cell.linear.eval()
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    random, numpys = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    hold_to_contract(cell, "mine")
    assert [module.training for module in (cell, cell.norm, cell.linear)] == [True, True, False]
    assert np.random.get_state()[1].tolist() == numpys  # type: ignore[index,union-attr]
    assert all(torch.equal(value, before[name]) for name, value in cell.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
