"""Which matrices carry the past, against the equations of each cell."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.nets.transition import DeepTransition
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.state import State
from tests.core.nets.joined import Joined

I, H = 3, 8  # noqa: E741
CELLS = {entry.name: entry for entry in entry_points(group="rnnx.cells")}

# By the equations in each docstring: the matrices whose products hold what came before the step, and reach
# the state after it.
RECURRENT: dict[str, list[str]] = {
    "elman": ["weight_hh"],
    "jordan": ["weight_hy", "weight_yh"],  # y_{t-1} goes through U to h and through V to y
    "lstm": ["weight_hh"],
    "peephole-lstm": ["lstm.weight_hh"],  # a peephole is a vector
    "coupled-lstm": ["lstm.weight_hh"],
    "residual-lstm": ["weight_hh", "weight_hr"],  # h = o (W_p tanh(c) + W_h x)
    "depth-gated-lstm": [
        "first.weight_hh",
        "gates.0.weight_ih",  # W_d reads h^1, which holds h^1_{t-1}
        "upper.0.weight_hh",
        "upper.0.weight_ih",  # as does the second layer
    ],
    "grid-lstm": ["blocks.0.weight", "blocks.1.weight"],
    "gru": ["weight_hh"],
    "mut1": ["weight_hh"],
    "mut2": ["weight_hh"],
    "mut3": ["weight_hh"],
    "rhn": ["weight_hh"],
    "clockwork": [f"weight_hh.{k}" for k in range(8)],
    "sru": [],
    "qrnn": [],
    "tree-rnn": ["weight_hh"],
    "rntn": ["tensor_hh", "weight_hh"],
    "tree-lstm": ["weight_hh"],
}
OPTIONS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "gates that feed gates": ("lstm", {"gate_recurrence": True}, ["weight_gh", "weight_hh"]),
    "a memory that is all peepholes see": ("lstm", {"peepholes": True, "coupled": True}, ["weight_hh"]),
    "one block for every depth": ("grid-lstm", {"tied": True}, ["blocks.0.weight"]),
    "a reset before the product": ("gru", {"reset": "before"}, ["weight_hh"]),
    "half of its units asleep": ("elman", {"activation": "relu"}, ["weight_hh"]),
    "two children": ("tree-lstm", {"composition": "binary"}, ["weight_hh"]),
    "an output that no step reads": ("tree-rnn", {"score": True}, ["weight_hh"]),
    "a window of inputs": ("qrnn", {"kernel_size": 3, "pooling": "ifo"}, []),
    "gates that see the input alone": ("sru", {"peepholes": False}, []),
    "clocks of its own": (
        "clockwork",
        {"periods": (1, 2, 3, 5)},
        ["weight_hh.0", "weight_hh.1", "weight_hh.2", "weight_hh.3"],
    ),
}


def named(name: str, input_size: int = I, **options: Any) -> Cell:
    cell: Cell = CELLS[name].load()(input_size, hidden_size=H, **options)
    return cell


@pytest.mark.parametrize("input_size", [I, H], ids=["narrow", "as wide"])
@pytest.mark.parametrize("name", sorted(RECURRENT | CELLS))
def test_the_matrices_that_carry_the_past_are_those_of_the_equations(name: str, input_size: int) -> None:
    assert sorted(recurrent_matrices(named(name, input_size))) == RECURRENT[name]


@pytest.mark.parametrize(("name", "options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_so_they_are_with_options(name: str, options: dict[str, Any], expected: list[str]) -> None:
    assert sorted(recurrent_matrices(named(name, **options))) == expected


@pytest.mark.parametrize(
    "name", sorted(set(RECURRENT) - {"elman", "jordan", "clockwork", "tree-rnn", "rntn"})
)
def test_normalised_or_not_they_are_the_same(name: str) -> None:
    assert sorted(recurrent_matrices(named(name, layer_norm=True))) == RECURRENT[name]


def test_those_of_a_stranger() -> None:
    """Each tensor of the state counts; what the output alone reads, what nothing reads and a start do not."""
    assert recurrent_matrices(Joined()) == ["joined.weight", "second.weight"]


def test_there_are_none_where_there_are_no_parameters() -> None:
    class Leaky(Cell):
        input_size, output_size, state_sizes = I, I, (I,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return z + state[0] / 2, (z + state[0] / 2,)

    assert recurrent_matrices(Leaky()) == []


def test_in_a_deep_transition_all_that_is_between_two_states_carries_the_past() -> None:
    """Pascanu et al. 2014: of the cells after the first, the inputs are the past."""
    deep = DeepTransition([Elman(I, hidden_size=H), Elman(H, hidden_size=H)])
    assert recurrent_matrices(deep) == ["cells.0.weight_hh", "cells.1.weight_ih", "cells.1.weight_hh"]


def test_they_are_found_however_little_a_regulariser_lets_through() -> None:
    cell = Zoneout(GRU(I, hidden_size=1), [0.999])
    cell.recurrent_dropout = 0.999
    assert recurrent_matrices(cell) == ["cell.weight_hh"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.bfloat16])
def test_looking_changes_nothing(training: bool, dtype: torch.dtype) -> None:
    cell = LSTM(I, hidden_size=H).to(dtype).train(training)
    cell.recurrent_dropout = 0.25
    before = {name: weight.clone() for name, weight in cell.state_dict().items()}
    random = torch.get_rng_state()
    with torch.no_grad():
        assert recurrent_matrices(cell) == ["weight_hh"]
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(weight, before[name]) for name, weight in cell.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in cell.parameters())
    assert {module.training for module in cell.modules()} == {training}
    assert cell.recurrent_dropout == 0.25


def test_they_are_found_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert recurrent_matrices(LSTM(I, hidden_size=H)) == ["weight_hh"]
