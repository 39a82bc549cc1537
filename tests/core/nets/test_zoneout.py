"""Zoneout against its paper: masks are read off what came out, then all is done by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.layers import Layer
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.state import State
from tests.core.nets.reading import (
    CELLS,
    H,
    I,
    N,
    Sideways,
    T,
    Way,
    by_chance,
    each_cell,
    each_way,
    same,
    theirs,
)

pytestmark = pytest.mark.usefixtures("doubles")


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
