"""What holds of all regularisers, alone and together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.layers import Bidirectional, Layer, Recurrent, Stack
from rnnx.core.nets.skips import Plain
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from tests.core.nets.reading import WAYS, H, I, N, Sideways, T, Way, each_cell, each_way, same

pytestmark = pytest.mark.usefixtures("doubles")


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
