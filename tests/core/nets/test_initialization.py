"""How matrices start, against the papers."""

from __future__ import annotations

import math
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
from rnnx.core.nets.initialization import Initialization, initialize
from rnnx.core.state import State
from tests.core.nets.joined import Joined

I, H = 3, 8  # noqa: E741

WIDE = 64
DRAWN: tuple[Initialization, ...] = tuple(start for start in get_args(Initialization) if start != "cell")
each_start = pytest.mark.parametrize("start", DRAWN)


def check(start: Initialization, gate: Tensor, bound: float) -> None:
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
def test_every_gate_is_drawn_by_itself(kind: type[Any], start: Initialization) -> None:
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
def test_the_past_and_the_input_start_each_as_told(start: Initialization) -> None:
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
def test_vectors_stay_as_the_cell_starts_them(start: Initialization) -> None:
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
def test_a_matrix_of_another_height_is_drawn_whole(start: Initialization) -> None:
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
def test_gates_are_as_high_as_the_memory_not_as_the_output(start: Initialization) -> None:
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
