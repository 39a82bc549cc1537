from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.anatomy import Anatomy, dissect
from rnnx.core.cell import Cell, TreeCell
from rnnx.core.errors import RunError
from rnnx.core.registry import find
from rnnx.core.state import State

PER_WIDTH = {  # of the input I and the state H: every gate reads both and has two biases, as torch has them
    "elman": lambda inputs, hidden: hidden * (inputs + hidden + 2),
    "gru": lambda inputs, hidden: 3 * hidden * (inputs + hidden + 2),
    "lstm": lambda inputs, hidden: 4 * hidden * (inputs + hidden + 2),
}
TORCHS = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Plain(Cell):
    """A cell of one option.

    Args:
        hidden_size: Width of the state.
    """

    def __init__(self, input_size: int, *, hidden_size: int = 8) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, 3, (hidden_size, 1)
        self.weight = nn.Linear(input_size, hidden_size)
        self.read = nn.Linear(hidden_size, 3, bias=False)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = self.weight(z) + state[0]
        return self.read(h), (h, state[1] + 1)


class Unrolling(Plain):
    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        return None if self.training else (self.read(self.weight(x)), state)


class Folding(Plain):
    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        return super().fold(z, children, mask)


class Tree(TreeCell):
    input_size, output_size, state_sizes = 1, 1, (1,)

    def __init__(self, input_size: int) -> None:
        super().__init__()

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        return z, (z,)


@pytest.mark.parametrize(("inputs", "hidden"), [(256, 256), (5, 7)])
@pytest.mark.parametrize("name", PER_WIDTH)
def test_cells_have_the_parameters_of_torchs_own(name: str, inputs: int, hidden: int) -> None:
    found = dissect(find("cell", name).load(), inputs, hidden)
    assert found.parameters == PER_WIDTH[name](inputs, hidden)
    assert found.parameters == sum(p.numel() for p in TORCHS[name](inputs, hidden).parameters())
    assert found.states == (hidden,) * (2 if name == "lstm" else 1)
    assert found.fused
    assert not found.composes


@pytest.mark.parametrize("name", ["tree-lstm", "tree-rnn", "rntn"])
def test_tree_cells_compose(name: str) -> None:
    assert dissect(find("cell", name).load(), 4, 4).composes


def test_everything_is_counted_by_hand() -> None:
    # 2 inputs into 4 and 4 biases, 4 into 3 outputs
    assert dissect(Plain, 2, 4) == Anatomy(states=(4, 1), parameters=24, fused=False, composes=False)


@pytest.mark.parametrize(
    ("cell", "fused", "composes"),
    [
        (Plain, False, False),
        (Unrolling, True, False),
        (Folding, False, True),
        (type("Heir", (Unrolling, Folding), {}), True, True),
    ],
)
def test_how_it_reads(cell: type[Cell], fused: bool, composes: bool) -> None:
    found = dissect(cell, 2, 4)
    assert (found.fused, found.composes) == (fused, composes)


def test_a_cell_without_a_width_is_as_it_is() -> None:
    assert dissect(Tree, 1, 99) == Anatomy(states=(1,), parameters=0, fused=False, composes=True)


def test_the_random_numbers_of_the_program_are_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    dissect(Plain, 2, 4)
    assert torch.equal(torch.rand(2), expected)


def no_command_line(self: Any, input_size: int, **options: Any) -> None: ...
def of_another_width(self: Any, input_size: int, *, hidden_size: int = 7) -> None:
    raise ValueError("7 or nothing")


@pytest.mark.parametrize(
    ("constructor", "error", "message"),
    [(no_command_line, RunError, r"takes \*\*options"), (of_another_width, ValueError, "^7 or nothing$")],
)
def test_what_cannot_be_built_says_why(
    constructor: Callable[..., None], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        dissect(type("Wrong", (Plain,), {"__init__": constructor}), 2, 4)
