"""The regularisers against their papers: masks are read off what came out, then all is done by hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.clockwork import Clockwork
from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.cell import Cell
from rnnx.core.layers import Bidirectional, Layer, Recurrent, Stack
from rnnx.core.nets.matrices import recurrent_matrices
from rnnx.core.nets.regularizers import VariationalDropout, WeightDrop, Zoneout, has_candidate
from rnnx.core.nets.skips import Plain
from rnnx.core.state import State
from rnnx.core.trees import Trees

N, T, I, H = 4, 5, 3, 8  # noqa: E741
CELLS = {entry.name: entry for entry in entry_points(group="rnnx.cells")}

pytestmark = pytest.mark.usefixtures("doubles")

Step = Callable[[Tensor, State], State]


def same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def by_chance(found: Tensor, rate: float) -> None:
    """Whether so many of independent draws are true as a rate says: within five standard deviations."""
    deviation = math.sqrt(rate * (1 - rate) / found.numel())
    assert abs(found.double().mean() - rate) <= 5 * deviation


# Ways to read: in each a step comes after none, one or more others, whose states add up


@dataclass(frozen=True)
class Way:
    """How rows are read: the real steps of each, and backwards or along trees."""

    lengths: tuple[int, ...]
    reverse: bool = False
    parents: tuple[tuple[int, ...], ...] = ()

    def order(self, n: int) -> Iterator[tuple[int, list[int]]]:
        """The steps of a row, and those that each comes right after."""
        if not self.parents:
            times = list(range(self.lengths[n]))[:: -1 if self.reverse else 1]
            yield from ((t, times[k - 1 : k] if k else []) for k, t in enumerate(times))
            return
        after = {
            t: [k for k, parent in enumerate(self.parents[n]) if parent == t]
            for t, parent in enumerate(self.parents[n])
            if parent > -2
        }
        done: set[int] = set()
        while after.keys() - done:
            ready = [t for t in after if t not in done and done.issuperset(after[t])]
            yield from ((t, after[t]) for t in ready)
            done.update(ready)

    def layer(self, cell: Cell) -> Layer:
        return Layer(cell, self.reverse)

    def read(self, net: Recurrent, x: Tensor) -> tuple[Tensor, State]:
        lengths = torch.tensor(self.lengths)
        return net(x, lengths, None, Trees.of(torch.tensor(self.parents)) if self.parents else None)

    def by_hand(self, step: Callable[[int], Step], x: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, State]:
        """What :meth:`read` is to give, when the first tensor of the state is the output.

        Args:
            step: Each row's.
            x: ``(N, T, I)``.
            sizes: Of the state.
        """
        y, last = [[torch.zeros(1, sizes[0])] * T for _ in range(N)], []
        for n in range(N):
            known: dict[int, State] = {}
            for t, befores in self.order(n):
                state = tuple(torch.zeros(1, size) for size in sizes)
                for before in befores:
                    state = tuple(map(torch.add, state, known[before]))
                known[t] = step(n)(x[n : n + 1, t], state)
                y[n][t] = known[t][0]
            last.append(known[t])
        return torch.stack([torch.cat(row) for row in y]), tuple(map(torch.cat, zip(*last, strict=True)))


PARENTS = ((2, 2, 4, 4, -1), (1, 2, -1, -2, -2), (-1, -2, -2, -2, -2), (-1, 0, 0, 0, -2))
WAYS = {
    "full": Way((T,) * N),
    "packed": Way((2, 5, 1, 3)),
    "backwards": Way((2, 5, 1, 3), reverse=True),
    "trees": Way((5, 3, 1, 4), parents=PARENTS),
}
THEIRS: dict[type[Cell], type[nn.RNNCellBase]] = {Elman: nn.RNNCell, GRU: nn.GRUCell, LSTM: nn.LSTMCell}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
each_cell = pytest.mark.parametrize("kind", THEIRS)


def theirs(cell: Cell, **weights: Tensor) -> Step:
    """A step of torch's cell with the weights of ours, or others."""
    module = THEIRS[type(cell)](cell.input_size, cell.output_size)
    module.load_state_dict(cell.state_dict() | weights)

    def step(x: Tensor, state: State) -> State:
        after = module(x, state if len(state) > 1 else state[0])
        return after if len(state) > 1 else (after,)

    return step


def gru(cell: Cell, x: Tensor, h: Tensor, seen: Tensor, kept: Tensor | float = 1.0) -> Tensor:
    """Cho et al. 2014, reset after the product, which reads ``seen``; the candidate is ``kept`` so much."""
    r, z, n = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, -1)
    past_r, past_z, past_n = (seen @ cell.weight_hh.T + cell.bias_hh).chunk(3, -1)
    r, z = torch.sigmoid(r + past_r), torch.sigmoid(z + past_z)
    return z * h + (1 - z) * kept * torch.tanh(n + r * past_n)


def lstm(
    cell: Cell, x: Tensor, state: State, seen: Tensor, kept: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    """Hochreiter & Schmidhuber 1997 with forget gates, whose products read ``seen``."""
    sums = x @ cell.weight_ih.T + cell.bias_ih + seen @ cell.weight_hh.T + cell.bias_hh
    i, f, g, o = sums.chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * kept * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


# Zoneout


@each_way
@pytest.mark.parametrize("kind", [Elman, GRU])
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9])
def test_zoneout_keeps_some_of_the_state_and_makes_the_rest_new(
    kind: type[Any], way: Way, rate: float
) -> None:
    """Krueger et al. 2016: ``h_t = d h_{t-1} + (1 - d) new``, drawn for each unit at each step.

    At a node the old value is the mean of the children's, as the docstring says, and zero at a leaf.
    """
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    y, (last,) = way.read(way.layer(Zoneout(cell, [rate])), x)
    step, kept = theirs(cell), []
    for n in range(N):
        for t, befores in way.order(n):
            known = torch.stack([torch.zeros(H), *(y[n, before] for before in befores)])
            old = known.sum(0) / max(len(befores), 1)
            (new,) = step(x[n : n + 1, t], (known.sum(0, keepdim=True),))
            kept.append((y[n, t] - old).abs() < 1e-13)
            same(y[n, t], torch.where(kept[-1], old, new[0]))
        same(last[n], y[n, t])
        assert y[n, way.lengths[n] :].eq(0).all()
    by_chance(torch.stack(kept), rate)


def test_zoneout_of_an_lstm_has_a_rate_for_each_tensor() -> None:
    """Krueger et al. 2016, zoneout of an LSTM: ``h`` is made of the memory before it is zoned out."""
    cell, x = LSTM(I, hidden_size=50), torch.randn(300, I)
    zoned, state = Zoneout(cell, [0.05, 0.5]), (torch.randn(300, 50), torch.randn(300, 50))
    y, after = zoned.step(zoned.project(x), state)
    assert y is after[0]
    masks = [new == old for new, old in zip(after, state, strict=True)]
    for found, mask, old, new in zip(after, masks, state, theirs(cell)(x, state), strict=True):
        same(found, torch.where(mask, old, new))
    by_chance(masks[0], 0.05)
    by_chance(masks[1], 0.5)
    by_chance(masks[0] & masks[1], 0.05 * 0.5)


def test_zoneout_is_drawn_for_each_row_unit_and_step() -> None:
    cell, state = Zoneout(GRU(1, hidden_size=200), [0.5]), (torch.randn(200, 200),)
    masks = []
    for _ in range(2):
        masks.append(cell.step(cell.project(torch.zeros(200, 1)), state)[1][0] == state[0])
    for one, other in (masks, (masks[0][1:], masks[0][:-1]), (masks[0][:, 1:], masks[0][:, :-1])):
        by_chance(one == other, 0.5)


@each_cell
def test_zoneout_along_time_is_its_steps(kind: type[Any]) -> None:
    layer, x = Layer(Zoneout(kind(I, hidden_size=H), [0.5, 0.2][: 1 + (kind is LSTM)])), torch.randn(N, T, I)
    torch.manual_seed(1)
    y, last = layer(x)
    torch.manual_seed(1)
    state, outputs = layer.initial_state(N, x), []
    for x_t in x.unbind(1):
        y_t, state = layer.step(x_t, state)
        outputs.append(y_t)
    same((y, *last), (torch.stack(outputs, 1), *state))
    assert not layer(x)[0].isclose(y).all()


@each_way
@each_cell
def test_zoneout_in_evaluation_is_the_expectation(kind: type[Any], way: Way) -> None:
    """Krueger et al. 2016: at test time the expectation, as of dropout."""
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    rates = [0.3, 0.05][: len(cell.state_sizes)]
    y, last = way.read(way.layer(Zoneout(cell, rates)).eval(), x)
    step = theirs(cell)
    for n in range(N):
        known: dict[int, State] = {}
        for t, befores in way.order(n):
            sums = tuple(
                torch.stack([torch.zeros(1, H), *(known[before][k] for before in befores)]).sum(0)
                for k in range(len(rates))
            )
            known[t] = tuple(
                rate * old / max(len(befores), 1) + (1 - rate) * new
                for rate, old, new in zip(rates, sums, step(x[n : n + 1, t], sums), strict=True)
            )
            same(y[n, t], known[t][0][0])
        same(tuple(tensor[n] for tensor in last), tuple(tensor[0] for tensor in known[t]))


def test_the_mean_of_zoneout_in_training_is_zoneout_in_evaluation() -> None:
    cell = Zoneout(LSTM(I, hidden_size=H), [0.3, 0.6])
    x, state = torch.randn(1, I), (torch.randn(1, H), torch.randn(1, H))
    many = tuple(tensor.expand(50_000, -1) for tensor in state)
    _, drawn = cell.step(cell.project(x.expand(50_000, -1)), many)
    _, expected = cell.eval().step(cell.project(x), state)
    for found, tensor in zip(drawn, expected, strict=True):
        torch.testing.assert_close(found.mean(0), tensor[0], rtol=0, atol=0.03)


def test_zoneout_learns_through_what_is_new_and_remembers_through_what_is_not() -> None:
    cell = GRU(I, hidden_size=H)
    zoned, h = Zoneout(cell, [0.8]), torch.randn(N, H, requires_grad=True)
    y, _ = zoned.step(zoned.project(torch.randn(N, I)), (h,))
    kept = y == h
    to_h, to_u = torch.autograd.grad((y * kept).sum(), [h, cell.weight_hh], retain_graph=True)
    assert torch.equal(to_h, kept.to(h))
    assert to_u.eq(0).all()
    learnt = (~kept).any(0).repeat(3)  # by some row
    assert learnt.any() and not learnt.all()  # noqa: PT018
    for gradient in torch.autograd.grad(y.sum(), [cell.weight_hh, cell.weight_ih]):
        assert torch.equal(gradient.ne(0).all(1), learnt)
        assert torch.equal(gradient.ne(0).any(1), learnt)


class Sideways(Cell):
    """Its output is its second tensor, or another; its state starts at 1; it tells children apart."""

    def __init__(self, other: bool) -> None:
        super().__init__()
        self.other = other
        self.input_size, self.output_size, self.state_sizes = 2, 2, (2, 2)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b = z + state[0], z * state[1]
        return (b + 0 if self.other else b), (a, b)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        first, second = (child[:, 0] - child[:, 1:].sum(1) for child in children)
        return self.step(z, (first, second))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return like.new_ones(batch, 2), like.new_ones(batch, 2)


@pytest.mark.parametrize("other", [False, True])
def test_an_output_that_is_no_tensor_of_the_state_stays(other: bool) -> None:
    cell, x = Zoneout(Sideways(other), [0.5, 0.25]).eval(), torch.full((1, 1, 2), 3.0)
    y, (a, b) = Layer(cell)(x)
    assert a[0].tolist() == [0.5 * 1 + 0.5 * 4] * 2
    assert b[0].tolist() == [0.25 * 1 + 0.75 * 3] * 2
    assert torch.equal(y[0], torch.full((1, 2), 3.0) if other else b)


def test_zoneout_leaves_a_node_to_its_cell() -> None:
    """The cell composes the children as it does; only the old value is their mean, without who is absent."""
    cell = Zoneout(Sideways(other=False), [0.5, 0.0]).eval()
    children = torch.tensor([[[8.0, 8.0], [2.0, 2.0]], [[8.0, 8.0], [0.0, 0.0]]])  # (2, K, 2)
    mask = torch.tensor([[True, True], [True, False]])
    _, (a, b) = cell.fold(torch.tensor([[1.0, 1.0]] * 2), (children, children), mask)
    assert a.tolist() == [[0.5 * 5 + 0.5 * 7] * 2, [0.5 * 8 + 0.5 * 9] * 2]
    assert b.tolist() == [[6, 6], [8, 8]]
    junk, gru = children.masked_fill(~mask.unsqueeze(-1), torch.nan), Zoneout(GRU(2, hidden_size=2), [0.5])
    same(*(gru.eval().fold(torch.zeros(2, 6), (given,), mask)[0] for given in (children, junk)))


def test_zoneout_has_its_rate_in_short_numbers_too() -> None:
    """In 8 bits of a bfloat16 there are only 256 steps from 0 to 1; the rate is finer."""
    cell = Zoneout(Elman(1, hidden_size=500).bfloat16(), [0.005])
    h = torch.randn(1000, 500).bfloat16() + 3
    _, (after,) = cell.step(cell.project(torch.zeros(1000, 1).bfloat16()), (h,))
    by_chance(after == h, 0.005)


# Recurrent dropout


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
WITHOUT_CANDIDATE = {"elman", "jordan", "clockwork", "tree-rnn"}


@pytest.mark.parametrize("name", sorted(CELLS))
def test_which_cells_have_a_candidate(name: str) -> None:
    cell: Cell = CELLS[name].load()(I, hidden_size=H)
    assert has_candidate(cell) == (name not in WITHOUT_CANDIDATE)


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


# Variational dropout


@each_way
@each_cell
def test_variational_dropout_has_one_mask_for_all_steps_of_a_row(kind: type[Any], way: Way) -> None:
    """Gal & Ghahramani 2016, section 4: the same mask at each time step, on inputs and on outputs."""
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I, requires_grad=True)
    net = VariationalDropout(way.layer(cell), 0.3, 0.6)
    y, last = way.read(net, x)
    real = y.ne(0).any(-1)
    (to_x,) = torch.autograd.grad(
        (y * torch.randn_like(y)).sum() + sum(map(torch.sum, last)), [x], retain_graph=True
    )
    before, after = to_x.ne(0).any(1) / 0.7, y.ne(0).any(1) / 0.4  # (N, I), (N, H)
    steps = theirs(cell)
    expected, states = way.by_hand(
        lambda n: lambda x_t, state: steps(x_t * before[n], state), x, cell.state_sizes
    )
    same(y, expected * after.unsqueeze(1))
    same(last, states)  # what goes on is not dropped
    seen = after.ne(0).any(1)  # in which rows anything is left to see
    assert seen.any()
    assert real.sum(1)[seen].tolist() == torch.tensor(way.lengths)[seen].tolist()


def test_variational_dropout_has_its_rates_and_each_row_its_masks() -> None:
    net = VariationalDropout(Layer(GRU(300, hidden_size=200)), 0.3, 0.6)
    before, after, inner = net.noise(100, torch.zeros(1))
    assert (before.shape, after.shape, inner) == ((100, 300), (100, 200), ())
    for mask, rate in ((before, 0.3), (after, 0.6)):
        same(mask, torch.where(mask == 0, 0.0, 1 / (1 - rate)))
        by_chance(mask == 0, rate)
        by_chance((mask[1:] == 0) & (mask[:-1] == 0), rate**2)
        by_chance((mask[:, 1:] == 0) & (mask[:, :-1] == 0), rate**2)
    by_chance((before == 0) & (net.noise(100, torch.zeros(1))[0] == 0), 0.3**2)


def test_variational_dropout_goes_step_by_step_with_one_noise() -> None:
    cell, x = GRU(I, hidden_size=H), torch.randn(N, T, I)
    net = VariationalDropout(Layer(cell), 0.5, 0.5)
    before, after, _ = noise = net.noise(N, x)
    h, step = torch.zeros(N, H), theirs(cell)
    state = net.initial_state(N, x)
    for x_t in x.unbind(1):
        y, state = net.step(x_t, state, noise)
        (h,) = step(x_t * before, (h,))
        same(y, h * after)
        same(state, (h,))


def test_variational_dropout_by_step_without_noise_is_drawn_anew() -> None:
    net, x = VariationalDropout(Layer(GRU(I, hidden_size=100)), 0.0, 0.5), torch.randn(100, I)
    h = (torch.randn(100, 100),)
    first, second = (net.step(x, h)[0] == 0 for _ in range(2))
    by_chance(first & second, 0.25)


def test_variational_dropout_at_no_rate_is_nothing() -> None:
    layer, x = Layer(GRU(I, hidden_size=H)), torch.randn(N, T, I)
    for net in (VariationalDropout(layer, 0, 0), WeightDrop(layer, 0, 0)):
        assert torch.equal(net(x)[0], layer(x)[0])


def test_variational_dropout_may_be_around_weight_drop() -> None:
    cell, x = GRU(I, hidden_size=H), torch.randn(N, I)
    net = VariationalDropout(WeightDrop(Layer(cell), 0.5, 0.0), 0.5, 0.5)
    before, after, inner = noise = net.noise(N, x)
    (weights,) = inner
    h = torch.randn(N, H)
    y, (last,) = net.step(x, (h,), noise)
    expected = theirs(cell, weight_hh=weights["cell.weight_hh"])(x * before, (h,))[0]
    same((y, last), (expected * after, expected))


# Weight drop


def kept_of(net: Recurrent, matrix: Tensor, y: Tensor, last: State) -> Tensor:
    """Which numbers of a matrix the outcome depends on."""
    total = (y * torch.randn_like(y)).sum() + sum(
        (tensor * torch.randn_like(tensor)).sum() for tensor in last
    )
    (slope,) = torch.autograd.grad(total, [matrix], retain_graph=True)
    return slope != 0


@each_way
@each_cell
def test_weight_drop_drops_single_recurrent_weights_for_all_steps_and_rows(kind: type[Any], way: Way) -> None:
    """Merity et al. 2017, section 2: DropConnect on the hidden-to-hidden matrices, one mask a pass."""
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    before = copy.deepcopy(cell.state_dict())
    net = WeightDrop(way.layer(cell), 0.3, 0.0)
    y, last = way.read(net, x)
    kept = kept_of(net, cell.weight_hh, y, last)
    by_chance(~kept, 0.3)
    step = theirs(cell, weight_hh=cell.weight_hh.detach() * kept / 0.7)
    same((y, last), way.by_hand(lambda n: step, x, cell.state_sizes))
    assert all(torch.equal(weight, before[name]) for name, weight in cell.state_dict().items())
    assert not torch.equal(kept_of(net, cell.weight_hh, *way.read(net, x)), kept)


@each_way
@pytest.mark.parametrize("elements", [0.0, 0.3])
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_a_dropped_column_is_a_dropped_unit_of_what_the_products_read(
    kind: type[Any], elements: float, way: Way
) -> None:
    """Gal & Ghahramani 2016: all gates read ``h_{t-1} z`` with one ``z``; the memory stays whole."""
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    net = WeightDrop(way.layer(cell), elements, 0.5)
    y, last = way.read(net, x)
    kept = kept_of(net, cell.weight_hh, y, last)
    columns = kept.any(0)
    assert columns.any() and not columns.all()  # noqa: PT018
    by_chance(~kept[:, columns], elements)
    other = copy.deepcopy(cell)
    other.weight_hh.data *= kept / (1 - elements)
    seen = columns / 0.5

    def step(x_t: Tensor, state: State) -> State:
        if len(state) > 1:
            return lstm(other, x_t, state, state[0] * seen)
        return (gru(other, x_t, state[0], state[0] * seen),)

    same((y, last), way.by_hand(lambda n: step, x, cell.state_sizes))


def test_weight_drop_has_its_rates() -> None:
    net = WeightDrop(Layer(LSTM(I, hidden_size=200)), 0.4, 0.0)
    (drawn,) = net.noise(N, torch.zeros(1))
    assert drawn.keys() == {"cell.weight_hh"}
    dropped = drawn["cell.weight_hh"] == 0
    by_chance(dropped, 0.4)
    by_chance(dropped[1:] & dropped[:-1], 0.4**2)
    by_chance(dropped[:, 1:] & dropped[:, :-1], 0.4**2)
    columns = [
        WeightDrop(net.layer, 0.0, 0.2).noise(N, torch.zeros(1))[0]["cell.weight_hh"] == 0 for _ in range(20)
    ]
    assert all(torch.equal(mask, mask[:1].expand_as(mask)) for mask in columns)
    by_chance(torch.stack([mask[0] for mask in columns]), 0.2)


def test_every_matrix_of_the_past_is_dropped_and_no_other() -> None:
    cell = Clockwork(I, hidden_size=12, periods=(1, 2, 3))
    net = WeightDrop(Layer(Zoneout(cell, [0.5, 0.0])), 0.5, 0.0)
    (drawn,) = net.noise(N, torch.zeros(1))
    assert drawn.keys() == {f"cell.cell.weight_hh.{k}" for k in range(3)}
    for k, weight in enumerate(cell.weight_hh):
        mask = drawn[f"cell.cell.weight_hh.{k}"] != 0
        same(drawn[f"cell.cell.weight_hh.{k}"], torch.where(mask, 2 * weight, 0.0))
        assert mask.any() and not mask.all()  # noqa: PT018
    y, _ = net(torch.randn(N, 4, I))
    gradients = torch.autograd.grad(y.sum(), list(cell.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@each_cell
def test_weight_drop_learns_the_weights_that_are_not_dropped(kind: type[Any]) -> None:
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    net = WeightDrop(Layer(cell), 0.5, 0.0)
    y, _ = net(x)
    kept = kept_of(net, cell.weight_hh, y, ())
    weight = torch.randn_like(y)
    (y * weight).sum().backward()

    module = THEIRS[kind](I, H)
    module.load_state_dict(cell.state_dict() | {"weight_hh": cell.weight_hh.detach() * kept * 2})
    h: Any = None
    total = torch.zeros(())
    for t in range(T):
        h = module(x[:, t], h)
        total = total + ((h[0] if kind is LSTM else h) * weight[:, t]).sum()
    total.backward()
    same(cell.weight_hh.grad, module.weight_hh.grad * kept * 2)
    for name in ("weight_ih", "bias_ih", "bias_hh"):
        same(cell.get_parameter(name).grad, module.get_parameter(name).grad)


@each_cell
def test_weight_drop_goes_step_by_step_with_one_noise(kind: type[Any]) -> None:
    cell, x = kind(I, hidden_size=H), torch.randn(N, T, I)
    net = WeightDrop(Layer(cell), 0.5, 0.5)
    (weights,) = noise = net.noise(N, x)
    step = theirs(cell, weight_hh=weights["cell.weight_hh"])
    state = expected = net.initial_state(N, x)
    for x_t in x.unbind(1):
        y, state = net.step(x_t, state, noise)
        expected = step(x_t, expected)
        same((y, *state), (expected[0], *expected))


def test_weight_drop_by_step_without_noise_is_drawn_anew() -> None:
    net, x = WeightDrop(Layer(GRU(I, hidden_size=H)), 0.5, 0.0), torch.randn(N, I)
    h = (torch.randn(N, H),)
    assert not net.step(x, h)[0].isclose(net.step(x, h)[0]).any()


# All of them


def nets(cell: Callable[[int], Cell], way: Way) -> dict[str, tuple[Recurrent, Recurrent]]:
    """Regularised nets, and the same without, of the same weights."""
    layer = way.layer(cell(I))
    lower, upper = layer, way.layer(cell(H))
    stacked = [VariationalDropout(lower, 0.5, 0.5), WeightDrop(upper, 0.5, 0.5)]
    found: dict[str, tuple[Recurrent, Recurrent]] = {
        "variational": (VariationalDropout(layer, 0.5, 0.5), layer),
        "weights": (WeightDrop(layer, 0.5, 0.5), layer),
        "stack": (
            Stack(stacked, [Plain(I, H), Plain(H, H)]),
            Stack([lower, upper], [Plain(I, H), Plain(H, H)]),
        ),
    }
    if not way.reverse and not way.parents:
        back = Layer(cell(I), reverse=True)
        both = Bidirectional(WeightDrop(layer, 0.5, 0.0), VariationalDropout(back, 0.5, 0.0))
        found["both"] = both, Bidirectional(layer, back)
    return found


@each_way
@each_cell
def test_in_evaluation_there_is_no_dropout(kind: type[Any], way: Way) -> None:
    x = torch.randn(N, T, I)
    for regularised, plain in nets(lambda size: kind(size, hidden_size=H), way).values():
        assert not way.read(regularised, x)[0].isclose(way.read(plain, x)[0]).all()
        y, last = way.read(regularised.eval(), x)
        expected, after = way.read(plain.eval(), x)
        assert torch.equal(y, expected)
        assert all(map(torch.equal, last, after))
        assert not way.read(regularised.train(), x)[0].isclose(expected).all()


@each_cell
def test_in_evaluation_steps_are_plain_too(kind: type[Any]) -> None:
    x = torch.randn(N, I)
    for name, (regularised, plain) in nets(lambda size: kind(size, hidden_size=H), WAYS["full"]).items():
        if name == "both":
            continue
        regularised.eval()
        state = tuple(torch.randn(N, size) for size in plain.state_sizes)
        expected, after = plain.step(x, state)
        for noise in (None, regularised.noise(N, x)):
            y, last = regularised.step(x, state, noise)
            assert torch.equal(y, expected)
            assert all(map(torch.equal, last, after))


@each_cell
def test_they_start_from_the_state_they_are_given(kind: type[Any]) -> None:
    x, lengths = torch.randn(N, T, I), torch.tensor([2, 5, 1, 3])
    for regularised, plain in nets(lambda size: kind(size, hidden_size=H), WAYS["full"]).values():
        state = tuple(torch.randn(N, size) for size in plain.state_sizes)
        same(regularised.eval()(x, lengths, state), plain.eval()(x, lengths, state))
        assert not plain(x, lengths)[0].isclose(plain(x, lengths, state)[0]).all()


@each_way
def test_directions_and_layers_draw_their_own(way: Way) -> None:
    net = Stack(
        [VariationalDropout(way.layer(GRU(H, hidden_size=H)), 0.0, 0.5) for _ in range(2)], [Plain(H, H)] * 2
    )
    seen: list[Tensor] = []
    for layer in net.layers:
        layer.register_forward_hook(lambda module, given, result: seen.append(result[0].detach() == 0))
    way.read(net, torch.randn(N, T, H))
    real = torch.arange(T) < torch.tensor(way.lengths).unsqueeze(1)
    assert not torch.equal(seen[0][real], seen[1][real])
    noise = net.noise(N, torch.zeros(1))
    assert not torch.equal(noise[0][1], noise[1][1])


@pytest.mark.parametrize("dtype", [torch.float, torch.bfloat16])
def test_masks_have_the_dtype_of_what_they_are_on(dtype: torch.dtype) -> None:
    net = VariationalDropout(WeightDrop(Layer(Zoneout(GRU(I, hidden_size=H), [0.5])), 0.5, 0.5), 0.5, 0.5).to(
        dtype
    )
    x = torch.randn(N, T, I, dtype=dtype)
    y, last = net(x, torch.tensor([2, 5, 1, 3]))
    assert (y.dtype, last[0].dtype) == (dtype, dtype)
    y, last = net.step(x[:, 0], last, net.noise(N, x))
    assert (y.dtype, last[0].dtype) == (dtype, dtype)


@pytest.mark.parametrize("way", [WAYS["full"], WAYS["packed"]], ids=["full", "packed"])
@each_cell
def test_in_mixed_precision_they_are_close_to_themselves(kind: type[Any], way: Way) -> None:
    cell = kind(I, hidden_size=H).float()
    rates = [0.0] * (len(cell.state_sizes) - 1) + [0.25]
    net = VariationalDropout(WeightDrop(way.layer(Zoneout(cell, rates)), 0.5, 0.5), 0.5, 0.5)
    x = torch.randn(N, T, I, dtype=torch.float)
    for training in (True, False):
        net.train(training)
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = way.read(net, x)
            step, _ = net.step(x[:, 0], net.initial_state(N, x), net.noise(N, x))
        assert y.isfinite().all()
        assert step.isfinite().all()
    torch.testing.assert_close(y.float(), way.read(net, x)[0], rtol=0, atol=0.05)
    y.float().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in net.parameters())


@each_cell
def test_they_add_nothing_to_what_is_saved_but_names(kind: type[Any]) -> None:
    def built() -> Recurrent:
        rates = [0.5] * (1 + (kind is LSTM))
        return VariationalDropout(
            WeightDrop(Layer(Zoneout(kind(I, hidden_size=H), rates)), 0.5, 0.5), 0.5, 0.5
        )

    net, other, x = built().eval(), built().eval(), torch.randn(N, T, I)
    assert not torch.equal(net(x)[0], other(x)[0])
    net.train()(x)
    assert len(net.state_dict()) == len(list(kind(I, hidden_size=H).parameters())) == 4
    other.load_state_dict(net.state_dict())
    assert torch.equal(net.eval()(x)[0], other(x)[0])
    assert torch.equal(copy.deepcopy(net)(x)[0], other(x)[0])


@each_cell
def test_their_widths_and_first_state_are_the_cells(kind: type[Any]) -> None:
    cell = kind(I, hidden_size=H)
    rates = [0.5] * len(cell.state_sizes)
    parts: list[Any] = [Zoneout(cell, rates)]
    parts += [WeightDrop(Layer(cell), 0.5, 0.5), VariationalDropout(Layer(cell), 0.5, 0.5)]
    for part in parts:
        assert (part.input_size, part.output_size, part.state_sizes) == (I, H, cell.state_sizes)
        assert [tensor.shape for tensor in part.initial_state(2, torch.zeros(1))] == [(2, H)] * len(rates)
    wrapped = Zoneout(Sideways(other=False), [0.5, 0.5])
    for net in (
        Layer(wrapped),
        VariationalDropout(Layer(wrapped), 0.5, 0.5),
        WeightDrop(Layer(wrapped), 0.5, 0),
    ):
        assert all(tensor.eq(1).all() for tensor in net.initial_state(3, torch.zeros(1)))


@pytest.mark.parametrize(
    ("name", "options"), [*((name, {}) for name in sorted(CELLS)), ("qrnn", {"pooling": "f"})]
)
def test_an_output_that_is_a_tensor_of_the_state_stays_it_under_zoneout(
    name: str, options: dict[str, Any]
) -> None:
    """Krueger et al. 2016: what is read above a layer is the state after zoneout."""
    cell: Cell = CELLS[name].load()(I, hidden_size=H, **options)
    x, state = torch.randn(N, I), tuple(torch.rand(N, size) for size in cell.state_sizes)
    y, after = cell.step(cell.project(x), state)
    is_state = [k for k, tensor in enumerate(after) if tensor.shape == y.shape and torch.equal(tensor, y)]
    zoned = Zoneout(cell, [0.5] * len(state)).eval()
    y, after = zoned.step(zoned.project(x), state)
    assert all(y is after[k] for k in is_state)
