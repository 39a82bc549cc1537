from __future__ import annotations

import math
from importlib.metadata import entry_points
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.clockwork import Clockwork
from rnnx.cells.depth_gated_lstm import DepthGatedLSTM
from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.cells.rhn import RHN
from rnnx.cells.sru import SRU
from rnnx.cells.tree_rnn import TreeRNN
from rnnx.core.cell import Cell
from rnnx.core.nets.matrices import Start, initialize, recurrent_matrices
from rnnx.core.nets.regularizers import Zoneout
from rnnx.core.nets.transition import DeepTransition
from rnnx.core.state import State

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


@pytest.mark.parametrize("name", sorted(set(RECURRENT) - {"elman", "jordan", "clockwork", "tree-rnn"}))
def test_normalised_or_not_they_are_the_same(name: str) -> None:
    assert sorted(recurrent_matrices(named(name, layer_norm=True))) == RECURRENT[name]


class Joined(Cell):
    """A state and an input in one product; the state starts as it learns, and the output is a product too."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = I, 2, (H, 5)
        self.joined, self.output = nn.Linear(I + H, H), nn.Linear(H, 2)
        self.second, self.idle = nn.Linear(5, 5, bias=False), nn.Linear(4, 4)
        self.start, self.cube = nn.Parameter(torch.randn(1, H)), nn.Parameter(torch.randn(2, 2, 2))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, other = state
        h = torch.tanh(self.joined(torch.cat((z, h), -1)))
        return self.output(h), (h, torch.sin(self.second(other)))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.start.expand(batch, -1), like.new_zeros(batch, 5)


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


# How matrices start

WIDE = 64
DRAWN: tuple[Start, ...] = tuple(start for start in get_args(Start) if start != "cell")
each_start = pytest.mark.parametrize("start", DRAWN)


def check(start: Start, gate: Tensor, bound: float) -> None:
    """Whether one gate's matrix, ``(fan out, fan in)``, is drawn as the papers say."""
    rows, columns = gate.shape
    gate = gate.detach().double()
    if start == "orthogonal":  # Saxe et al. 2014: the shorter side's vectors are orthonormal
        gram = gate @ gate.T if rows <= columns else gate.T @ gate
        torch.testing.assert_close(gram, torch.eye(min(rows, columns)).double(), rtol=0, atol=1e-5)
        return
    if start == "he":  # He et al. 2015, equation 10: normal of variance 2 / n, with the inputs n
        sigma = math.sqrt(2 / columns)
        assert gate.abs().max() > 2.5 * sigma
        beyond = (gate.abs() > sigma).double().mean()
        assert abs(beyond - 0.3173) < 5 * math.sqrt(0.3173 * 0.6827 / gate.numel())
    else:  # Glorot & Bengio 2010, equation 16
        limit = math.sqrt(6 / (rows + columns)) if start == "xavier" else bound
        sigma = limit / math.sqrt(3)
        assert 0.98 * limit < gate.abs().max() <= limit
        beyond = (gate.abs() > limit / 2).double().mean()
        assert abs(beyond - 0.5) < 5 * 0.5 / math.sqrt(gate.numel())
    assert abs(gate.mean()) < 5 * sigma / math.sqrt(gate.numel())
    assert abs(gate.std() / sigma - 1) < 5 / math.sqrt(2 * gate.numel())


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@each_start
@pytest.mark.parametrize("kind", [Elman, GRU, LSTM, RHN])
def test_every_gate_is_drawn_by_itself(kind: type[Any], start: Start) -> None:
    cell = kind(2 * WIDE, hidden_size=WIDE)
    initialize(cell, start, start, 0.3)
    gates = {Elman: (1, 1), GRU: (3, 3), LSTM: (4, 4), RHN: (2, 4 * 2)}[kind]
    for weight, count in zip((cell.weight_ih, cell.weight_hh), gates, strict=True):
        assert len(weight) == count * WIDE
        parts = weight.split(WIDE)
        for gate in parts:
            check(start, gate, 0.3)
        assert not any(torch.equal(parts[0], other) for other in parts[1:])


@each_start
def test_the_past_and_the_input_start_each_as_told(start: Start) -> None:
    for inputs, recurrent in ((start, "cell"), ("cell", start)):
        torch.manual_seed(1)
        expected = GRU(2 * WIDE, hidden_size=WIDE)
        torch.manual_seed(1)
        cell = GRU(2 * WIDE, hidden_size=WIDE)
        initialize(cell, inputs, recurrent, 0.3)
        drawn, left = ("weight_ih", "weight_hh") if recurrent == "cell" else ("weight_hh", "weight_ih")
        for gate in cell.get_parameter(drawn).split(WIDE):
            check(start, gate, 0.3)
        for name in (left, "bias_ih", "bias_hh"):
            assert torch.equal(cell.get_parameter(name), expected.get_parameter(name))


@each_start
def test_vectors_stay_as_the_cell_starts_them(start: Start) -> None:
    cell = LSTM(I, hidden_size=H, peepholes=True, layer_norm=True, forget_bias=3.0)
    before = {name: weight.clone() for name, weight in cell.named_parameters()}
    initialize(cell, start, start, 0.1)
    changed = {name for name, weight in cell.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {"weight_ih", "weight_hh"}


def test_a_cell_left_alone_is_left_alone() -> None:
    cell, random = DepthGatedLSTM(I, hidden_size=H), torch.get_rng_state()
    before = {name: weight.clone() for name, weight in cell.named_parameters()}
    initialize(cell, "cell", "cell", 0.1)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(weight, before[name]) for name, weight in cell.named_parameters())


@each_start
def test_a_matrix_of_another_height_is_drawn_whole(start: Start) -> None:
    """A module of a clockwork network has less rows than the network has units."""
    cell = Clockwork(2 * WIDE, hidden_size=4 * WIDE, periods=(1, 2, 4, 8))
    initialize(cell, start, start, 0.2)
    check(start, cell.weight_ih, 0.2)
    for k, block in enumerate(cell.weight_hh):
        assert block.shape == (WIDE, (4 - k) * WIDE)
        check(start, block, 0.2)


def test_a_matrix_that_is_no_whole_number_of_gates_is_drawn_whole() -> None:
    """A stranger's, of five rows where its cell is two wide; what has three dimensions is no matrix."""
    cell = Joined()
    cube = cell.cube.clone()
    initialize(cell, "orthogonal", "orthogonal", 0.1)
    check("orthogonal", cell.second.weight, 0.1)
    assert torch.equal(cell.cube, cube)


def test_what_no_step_reads_is_left_alone() -> None:
    """A start that is learned is no matrix, though it has two dimensions."""
    cell = Joined()
    before = {name: weight.clone() for name, weight in cell.named_parameters()}
    initialize(cell, "uniform", "uniform", 0.1)
    changed = {name for name, weight in cell.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {"joined.weight", "second.weight", "output.weight"}


@each_start
def test_gates_are_as_high_as_the_memory_not_as_the_output(start: Start) -> None:
    """The output may be narrower than the memory, and the widest of the state no memory at all."""

    class Projected(Cell):
        """Two gates of 64 rows, an output of 32, and a window of 128."""

        def __init__(self) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = WIDE, WIDE // 2, (WIDE, 2 * WIDE)
            self.bookkeeping = (1,)
            self.gates, self.narrow = nn.Linear(WIDE, 2 * WIDE), nn.Linear(WIDE, WIDE // 2)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            gates = self.gates(z)
            c = torch.sin(state[0] + gates.chunk(2, -1)[0])
            return self.narrow(c), (c, gates)

    cell = Projected()
    initialize(cell, start, start, 0.3)
    for gate in (*cell.gates.weight.split(WIDE), cell.narrow.weight):
        check(start, gate, 0.3)


def test_a_cell_without_a_past_in_matrices_starts_as_the_input_says() -> None:
    torch.manual_seed(1)
    expected = SRU(WIDE, hidden_size=WIDE).weight_ih
    torch.manual_seed(1)
    cell = SRU(WIDE, hidden_size=WIDE)
    initialize(cell, "cell", "orthogonal", 0.1)
    assert torch.equal(cell.weight_ih, expected)
    initialize(cell, "orthogonal", "cell", 0.1)
    for gate in cell.weight_ih.split(WIDE):
        check("orthogonal", gate, 0.1)


def test_an_orthogonal_elman_keeps_the_length_of_what_it_remembers() -> None:
    """What the start is for: the Jacobian of a linear step is a rotation."""
    cell = Elman(I, hidden_size=WIDE).double()
    initialize(cell, "cell", "orthogonal", 0.1)
    h = torch.randn(5, WIDE, dtype=torch.double)
    torch.testing.assert_close((h @ cell.weight_hh.T).norm(dim=1), h.norm(dim=1))


def test_the_parts_of_a_matrix_of_two_children_are_not_mixed_up() -> None:
    """A matrix that reads two children is as wide as both and as high as one gate."""
    cell = TreeRNN(I, hidden_size=WIDE, score=True)
    initialize(cell, "xavier", "orthogonal", 0.1)
    check("orthogonal", cell.weight_hh, 0.1)
    assert cell.weight_hh.shape == (WIDE, 2 * WIDE)
