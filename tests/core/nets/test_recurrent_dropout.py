"""Recurrent dropout against its paper, and which cells have a candidate."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.cell import Cell
from rnnx.core.layers import Layer
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.nets.recurrent_dropout import has_candidate
from rnnx.core.state import State
from tests.core.nets.reading import CELLS, H, I, N, T, Way, by_chance, each_way, gru, lstm, same

pytestmark = pytest.mark.usefixtures("doubles")


@each_way
def test_recurrent_dropout_drops_the_candidate_of_a_gru(way: Way) -> None:
    """Semeniuta et al. 2016: ``h_t = (1 - z) h_{t-1} + z d(g_t)``, drawn anew at each step."""
    cell, x = GRU(I, hidden_size=H), torch.randn(N, T, I)
    cell.recurrent_dropout = 0.4
    y, (last,) = way.read(way.layer(cell), x)
    factors = []
    for n in range(N):
        for t, befores in way.order(n):
            h = torch.stack([torch.zeros(H), *(y[n, before] for before in befores)]).sum(0)
            without, new = (gru(cell, x[n, t], h, h, kept) for kept in (0.0, 1.0))
            factors.append((y[n, t] - without) / (new - without))
        same(last[n], y[n, t])
    found = torch.stack(factors)
    dropped = found.abs() < 1e-6
    torch.testing.assert_close(found, torch.where(dropped, 0.0, 1 / 0.6), rtol=0, atol=1e-6)
    by_chance(dropped, 0.4)


def test_recurrent_dropout_leaves_the_memory_of_an_lstm_as_it_was() -> None:
    """Semeniuta et al. 2016: ``c_t = f c_{t-1} + i d(g_t)``, ``h_t = o tanh(c_t)``."""
    cell, x, state = LSTM(I, hidden_size=100), torch.randn(200, I), tuple(torch.randn(2, 200, 100))
    cell.recurrent_dropout = 0.25
    masks = []
    for _ in range(2):
        y, (h, c) = cell.step(cell.project(x), state)
        _, without = lstm(cell, x, state, state[0], 0.0)
        masks.append((c - without).abs() < 1e-13)
        expected = lstm(cell, x, state, state[0], torch.where(masks[-1], 0.0, 1 / 0.75))
        same((y, h, c), (expected[0], *expected))
        by_chance(masks[-1], 0.25)
    by_chance(masks[0] & masks[1], 0.25**2)
    by_chance(masks[0][1:] & masks[0][:-1], 0.25**2)


@each_way
@pytest.mark.parametrize("kind", [GRU, LSTM, PeepholeLSTM, TreeLSTM])
def test_recurrent_dropout_acts_in_training_alone(kind: type[Any], way: Way) -> None:
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    layer, plain = way.layer(cell), way.layer(copy.deepcopy(cell))
    cell.recurrent_dropout = 0.5
    dropped = way.read(layer, x)[0]
    assert not dropped.isclose(way.read(layer, x)[0]).all()
    for found, expected in zip(way.read(layer.eval(), x), way.read(plain.eval(), x), strict=True):
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


def test_what_is_dropped_of_a_candidate_is_not_learnt_from() -> None:
    cell = LSTM(I, hidden_size=H)
    cell.recurrent_dropout, state = 0.5, (torch.randn(1, H), torch.randn(1, H))
    _, (_, c) = cell.step(cell.project(torch.randn(1, I)), state)
    (to_bias,) = torch.autograd.grad(c.sum(), [cell.bias_ih])
    gradients = dict(zip("ifgo", to_bias.chunk(4), strict=True))
    dropped = gradients["g"] == 0
    assert torch.equal(gradients["i"] == 0, dropped)
    assert dropped.any() and not dropped.all()  # noqa: PT018
    assert gradients["f"].ne(0).all()


class Around(Cell):
    """A stranger's cell with one of ours inside, and its kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = LSTM(I, hidden_size=H)
        self.input_size, self.output_size, self.state_sizes = I, H, (H, H)

    def project(self, x: Tensor) -> Tensor:
        return self.inner.project(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return self.inner.step(z, state)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        return self.inner.unroll(x, lengths, state)


def test_the_rate_is_that_of_a_cell_inside_too() -> None:
    cell, x = Around(), torch.randn(N, T, I)
    assert has_candidate(cell)
    cell.recurrent_dropout, layer = 0.5, Layer(cell)
    assert not layer(x)[0].isclose(layer(x)[0]).all()
    assert torch.equal(layer.eval()(x)[0], layer(x)[0])


def test_a_step_that_fails_leaves_the_cell_as_it_was() -> None:
    class Failing(Around):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            raise ValueError

    cell = Failing().eval()
    for look in (has_candidate, recurrent_matrices):
        with pytest.raises(ValueError, match=r"^$"):
            look(cell)
        assert not any(module.training for module in cell.modules())
        assert cell.recurrent_dropout == cell.inner.recurrent_dropout == 0


# Which docstrings have a candidate: new content ``g``, ``n``, ``z`` ... that a gate lets into the memory
WITHOUT_CANDIDATE = {"elman", "jordan", "clockwork", "tree-rnn", "rntn"}


@pytest.mark.parametrize("name", sorted(CELLS))
def test_which_cells_have_a_candidate(name: str) -> None:
    cell: Cell = CELLS[name].load()(I, hidden_size=H)
    assert has_candidate(cell) == (name not in WITHOUT_CANDIDATE)


def test_a_candidate_may_be_made_of_the_state_alone() -> None:
    """Ba et al. 2016: what a fast weight matrix learns is ``h h^T``, which is zero at first."""

    class FastWeights(Cell):
        input_size, output_size, state_sizes = H, H, (H, H * H)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h, weights = state
            outer = self.drop_candidate(h.unsqueeze(2) * h.unsqueeze(1))
            weights = 0.9 * weights + 0.5 * outer.flatten(1)
            h = torch.tanh(z + torch.bmm(weights.unflatten(1, (H, H)), h.unsqueeze(2)).squeeze(2))
            return h, (h, weights)

    assert has_candidate(FastWeights())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [Elman, GRU, PeepholeLSTM])
def test_looking_for_a_candidate_changes_nothing(kind: type[Any], training: bool) -> None:
    cell = kind(I, hidden_size=H).train(training)
    cell.recurrent_dropout = 0.125
    before, random = copy.deepcopy(cell.state_dict()), torch.get_rng_state()
    has_candidate(cell)
    assert cell.recurrent_dropout == 0.125
    assert {module.training for module in cell.modules()} == {training}
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(weight, before[name]) for name, weight in cell.state_dict().items())
    assert all(weight.grad is None for weight in cell.parameters())
