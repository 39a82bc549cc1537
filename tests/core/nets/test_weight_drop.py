"""Weight drop against its papers: masks are read off what came out, then all is done by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.cells.clockwork import Clockwork
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.layers import Layer, Recurrent
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.state import State
from tests.core.nets.reading import (
    THEIRS,
    H,
    I,
    N,
    T,
    Way,
    by_chance,
    each_cell,
    each_way,
    gru,
    lstm,
    same,
    theirs,
)

pytestmark = pytest.mark.usefixtures("doubles")


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
