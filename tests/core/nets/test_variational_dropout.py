"""Variational dropout against its paper: masks are read off what came out, then all is by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnx.cells.gru import GRU
from rnnx.core.layers import Layer
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from tests.core.nets.reading import H, I, N, T, Way, by_chance, each_cell, each_way, same, theirs

pytestmark = pytest.mark.usefixtures("doubles")


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
