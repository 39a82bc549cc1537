from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.errors import UsageError
from rnnx.core.layers import (
    Bidirectional,
    Bridge,
    Dense,
    Highway,
    Layer,
    Net,
    Plain,
    Recurrent,
    Residual,
    Skip,
    Stack,
)

N, T, I, H = 4, 5, 3, 6  # noqa: E741
LENGTHS = torch.tensor([2, 5, 1, 3])
SKIPS: dict[str, type[Skip]] = {"none": Plain, "residual": Residual, "dense": Dense, "highway": Highway}
each_skip = pytest.mark.parametrize("skip", SKIPS.values(), ids=SKIPS)


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


def same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def two(skip: type[Skip], dropout: float = 0.0) -> Stack:
    """Two GRU layers and the way round each."""
    lower = skip(I, H)
    layers = [Layer(GRU(I, hidden_size=H)), Layer(GRU(lower.output_size, hidden_size=H))]
    return Stack(layers, [lower, skip(lower.output_size, H)], dropout)


def torchs(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """torch's GRU with the weights of one of our layers."""
    module = nn.GRU(layer.cell.input_size, H, batch_first=True)
    module.load_state_dict({f"{name}_l0": weight for name, weight in layer.cell.state_dict().items()})
    return lambda x: module(x)[0]


def test_a_layer_is_its_cell_along_time() -> None:
    layer, module, x, h = Layer(GRU(I, hidden_size=H)), nn.GRU(I, H, batch_first=True), *inputs()
    layer.cell.load_state_dict({name.removesuffix("_l0"): w for name, w in module.state_dict().items()})
    assert (layer.input_size, layer.output_size, layer.state_sizes) == (I, H, (H,))
    y, (last,) = layer(x, None, (h,))
    same((y, last[None]), module(x, h[None]))
    y, (last,) = layer(x)
    same((y, last[None]), module(x))


def test_a_layer_in_reverse_reads_each_row_from_its_last_step() -> None:
    layer, (x, _) = Layer(GRU(I, hidden_size=H), reverse=True), inputs()
    y, (last,) = layer(x, LENGTHS)
    for n, length in enumerate(LENGTHS.tolist()):
        row, (row_last,) = Layer(layer.cell)(x[n : n + 1, :length].flip(1))
        same((y[n, :length], last[n]), (row[0].flip(0), row_last[0]))


def test_a_layer_goes_step_by_step() -> None:
    layer, (x, h) = Layer(GRU(I, hidden_size=H)), inputs()
    by_step(layer, x, (h,))


def test_a_layer_in_reverse_has_no_next_step() -> None:
    with pytest.raises(TypeError, match="reverse"):
        Layer(GRU(I), reverse=True).step(torch.zeros(N, I), (torch.zeros(N, 256),))


def inputs() -> tuple[Tensor, Tensor]:
    return torch.randn(N, T, I), torch.randn(N, H)


def by_step(net: Recurrent, x: Tensor, state: tuple[Tensor, ...]) -> None:
    """Whether steps one by one are the whole."""
    y, last = net(x, None, state)
    ys = []
    for t in range(x.shape[1]):
        y_t, state = net.step(x[:, t], state)
        ys.append(y_t)
    same((torch.stack(ys, 1), *state), (y, *last))


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "packed"])
@pytest.mark.parametrize("grad", [True, False], ids=["train", "no_grad"])
def test_layers_in_both_directions_are_torchs(lengths: Tensor | None, grad: bool) -> None:
    module = nn.LSTM(I, H, num_layers=2, bidirectional=True, batch_first=True)
    layers = []
    for number, size in enumerate((I, 2 * H)):
        cells = LSTM(size, hidden_size=H), LSTM(size, hidden_size=H)
        for cell, suffix in zip(cells, (f"_l{number}", f"_l{number}_reverse"), strict=True):
            cell.load_state_dict({name: getattr(module, name + suffix) for name in cell.state_dict()})
        layers.append(Bidirectional(Layer(cells[0]), Layer(cells[1], reverse=True)))
    stack = Stack(layers, [Plain(I, 2 * H), Plain(2 * H, 2 * H)])
    assert (stack.input_size, stack.output_size, stack.state_sizes) == (I, 2 * H, (H,) * 8)

    x = torch.randn(N, T, I, requires_grad=True)
    h, c = torch.randn(4, N, H), torch.randn(4, N, H)
    state = tuple(
        tensor for pair in zip(h, c, strict=True) for tensor in pair
    )  # h c of each layer and direction
    with torch.set_grad_enabled(grad):
        y, last = stack(x, lengths, state)
        if lengths is None:
            expected, (last_h, last_c) = module(x, (h, c))
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            expected, (last_h, last_c) = module(packed, (h, c))
            expected, _ = pad_packed_sequence(expected, batch_first=True, total_length=T)
    same((y, torch.stack(last[::2]), torch.stack(last[1::2])), (expected, last_h, last_c))
    if grad:
        weight = torch.randn_like(y)
        (ours,), (theirs,) = (torch.autograd.grad((o * weight).sum(), [x]) for o in (y, expected))
        same(ours, theirs)


def test_both_directions_start_where_their_cells_say() -> None:
    both = Bidirectional(Layer(LSTM(I, hidden_size=2)), Layer(GRU(I, hidden_size=4), reverse=True))
    assert (both.input_size, both.output_size, both.state_sizes) == (I, 6, (2, 2, 4))
    x = torch.randn(N, T, I)
    start = both.initial_state(N, x)
    assert [tuple(tensor.shape) for tensor in start] == [(N, 2), (N, 2), (N, 4)]
    same(both(x, LENGTHS), both(x, LENGTHS, start))


def test_both_directions_have_no_next_step() -> None:
    both = Bidirectional(Layer(GRU(I)), Layer(GRU(I), reverse=True))
    with pytest.raises(TypeError, match=r"net\.bidirectional=false"):
        both.step(torch.zeros(N, I), both.initial_state(N, torch.zeros(1)))
    with pytest.raises(TypeError, match=r"net\.bidirectional=false"):
        Stack([both], [Plain(I, 512)]).step(torch.zeros(N, I), both.initial_state(N, torch.zeros(1)))


def test_two_directions_of_one_object_are_refused() -> None:
    layer = Layer(GRU(I))
    with pytest.raises(ValueError, match="share their weights"):
        Bidirectional(layer, layer)


def test_a_residual_adds_the_input() -> None:
    x, y = torch.randn(N, T, H), torch.randn(N, T, H)
    skip = Residual(H, H)
    assert not list(skip.parameters())
    assert torch.equal(skip(x, y), x + y)


def test_a_residual_projects_an_input_of_another_width() -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, H)
    skip = Residual(I, H)
    (weight,) = skip.parameters()
    same(skip(x, y), x @ weight.T + y)


def test_dense_puts_input_and_output_side_by_side() -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, H)
    skip = Dense(I, H)
    assert skip.output_size == I + H
    assert torch.equal(skip(x, y)[..., :I], x)
    assert torch.equal(skip(x, y)[..., I:], y)


@pytest.mark.parametrize("width", [I, H], ids=["as wide", "wider"])
def test_a_highway_lets_a_gate_choose(width: int) -> None:
    x, y = torch.randn(N, T, I), torch.randn(N, T, width)
    skip = Highway(I, width)
    assert skip.gate.bias.eq(-1).all()
    carried = x if width == I else x @ skip.carry.weight.T
    t = 1 / (1 + torch.exp(-(x @ skip.gate.weight.T + skip.gate.bias)))
    same(skip(x, y), t * y + (1 - t) * carried)
    skip.gate.bias.data.fill_(50)
    same(skip(x, y), y)
    skip.gate.bias.data.fill_(-50)
    same(skip(x, y), carried)


def test_a_residual_stack_is_the_sums_written_out() -> None:
    stack, (x, _) = two(Residual), inputs()
    first, second = map(torchs, stack.layers)
    middle = x @ stack.skips[0].carry.weight.T + first(x)
    same(stack(x)[0], middle + second(middle))


def test_a_dense_stack_is_the_joins_written_out() -> None:
    stack, (x, _) = two(Dense), inputs()
    first, second = map(torchs, stack.layers)
    middle = torch.cat((x, first(x)), -1)
    assert stack.output_size == I + 2 * H
    same(stack(x)[0], torch.cat((middle, second(middle)), -1))


def test_a_highway_stack_is_the_gates_written_out() -> None:
    stack, (x, _) = two(Highway), inputs()
    first, second = map(torchs, stack.layers)
    lower, upper = stack.skips
    t = torch.sigmoid(x @ lower.gate.weight.T - 1)
    middle = t * first(x) + (1 - t) * (x @ lower.carry.weight.T)
    t = torch.sigmoid(middle @ upper.gate.weight.T - 1)
    same(stack(x)[0], t * second(middle) + (1 - t) * middle)


@each_skip
def test_a_stack_goes_step_by_step(skip: type[Skip]) -> None:
    x, h = inputs()
    by_step(two(skip), x, (h, torch.randn(N, H)))


@each_skip
@pytest.mark.parametrize("junk", [1e30, torch.nan])
def test_a_stacks_padding_is_zero_whatever_the_inputs_was(skip: type[Skip], junk: float) -> None:
    stack, (x, _) = two(skip), inputs()
    padding = torch.arange(T) >= LENGTHS.unsqueeze(1)  # (N, T)
    dirty = x.masked_fill(padding.unsqueeze(-1), junk).requires_grad_()
    y, last = stack(dirty, LENGTHS)
    assert y[padding].eq(0).all()
    for n, length in enumerate(LENGTHS.tolist()):
        row, row_last = stack(x[n : n + 1, :length])
        same((y[n, :length], *(tensor[n] for tensor in last)), (row[0], *(tensor[0] for tensor in row_last)))
    found = torch.autograd.grad(y.square().sum(), [dirty, *stack.parameters()])
    assert all(gradient.isfinite().all() for gradient in found)
    assert found[0][padding].eq(0).all()


def test_a_stack_starts_where_its_cells_say() -> None:
    stack = Stack([Layer(LSTM(I, hidden_size=2)), Layer(GRU(2, hidden_size=4))], [Plain(I, 2), Plain(2, 4)])
    x = torch.randn(N, T, I)
    start = stack.initial_state(N, x)
    assert [tuple(tensor.shape) for tensor in start] == [(N, size) for size in stack.state_sizes]
    assert stack.state_sizes == (2, 2, 4)
    same(stack(x), stack(x, None, start))


def test_dropout_is_between_the_layers_and_only_in_training() -> None:
    stack, (x, h) = two(Plain, dropout=1.0), inputs()
    first, second = map(torchs, stack.layers)
    same(
        stack(x)[0], second(torch.zeros(N, T, H))
    )  # all of the first layer's output is gone, none of the second's
    same(stack.step(x[:, 0], (h, h))[0], stack.layers[1].step(torch.zeros(N, H), (h,))[0])
    same(stack.eval()(x)[0], second(first(x)))


def test_dropout_keeps_the_mean() -> None:
    stack = Stack([Layer(GRU(1)), Layer(GRU(1))], [Plain(1, 1), Plain(1, 1)], dropout=0.25)
    dropped = stack.dropouts[0](torch.ones(10_000))
    assert set(dropped.tolist()) == {0.0, 1 / 0.75}
    assert 0.72 < dropped.ne(0).double().mean() < 0.78


def test_layers_that_do_not_fit_are_refused() -> None:
    layers = [Layer(GRU(I, hidden_size=4)), Layer(GRU(5, hidden_size=4))]
    with pytest.raises(ValueError, match="gives 4 features and the next reads 5"):
        Stack(layers, [Plain(I, 4), Plain(5, 4)])


def test_a_bridge_makes_any_state_any_other() -> None:
    bridge, state = Bridge((2, 3), (4, 1, 2)), (torch.randn(N, 2), torch.randn(N, 3))
    weight, bias = bridge.parameters()
    whole = torch.tanh(state[0] @ weight[:, :2].T + state[1] @ weight[:, 2:].T + bias)
    same(bridge(state), (whole[:, :4], whole[:, 4:5], whole[:, 5:]))


def plain(**options: Any) -> dict[str, Any]:
    return {"cell": {"name": "lstm", "hidden_size": H}} | options


def test_a_net_has_its_layers_in_both_directions_where_it_encodes() -> None:
    net = Net.from_plain(plain(layers=3, bidirectional=True))
    encoder, decoder = net.encoder(I), net.decoder(I)
    assert (encoder.input_size, encoder.output_size, encoder.state_sizes) == (I, 2 * H, (H,) * 12)
    assert (decoder.input_size, decoder.output_size, decoder.state_sizes) == (I, H, (H,) * 6)
    assert [type(layer) for layer in encoder.layers] == [Bidirectional] * 3
    assert [layer.reverse for layer in decoder.layers] == [False] * 3
    theirs = nn.LSTM(I, H, 3, bidirectional=True)
    assert sum(p.numel() for p in encoder.parameters()) == sum(p.numel() for p in theirs.parameters())
    y, _ = encoder(torch.randn(N, T, I), LENGTHS)
    assert y.shape == (N, T, 2 * H)


def test_a_nets_second_direction_reads_from_the_end() -> None:
    encoder = Net.from_plain(plain(bidirectional=True)).encoder(I)
    x = torch.randn(1, T, I, requires_grad=True)
    y, _ = encoder(x)
    (to_x,) = torch.autograd.grad(y[0, 2, :H].sum(), [x], retain_graph=True)
    assert to_x[0].ne(0).any(-1).tolist() == [True, True, True, False, False]
    (to_x,) = torch.autograd.grad(y[0, 2, H:].sum(), [x])
    assert to_x[0].ne(0).any(-1).tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("name", SKIPS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_net_has_the_skip_it_is_told(name: str, bidirectional: bool) -> None:
    encoder = Net.from_plain(plain(layers=2, skip=name, bidirectional=bidirectional)).encoder(I)
    assert [type(skip) for skip in encoder.skips] == [SKIPS[name]] * 2
    width = H * (1 + bidirectional)
    assert encoder.output_size == (I + 2 * width if name == "dense" else width)
    assert encoder(torch.randn(N, T, I), LENGTHS)[0].shape == (N, T, encoder.output_size)


def test_a_net_is_one_plain_layer_unless_it_is_told() -> None:
    encoder = Net.from_plain(plain()).encoder(I)
    assert [type(layer) for layer in encoder.layers] == [Layer]
    assert [type(skip) for skip in encoder.skips] == [Plain]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_net_drops_out_as_it_is_told(dropout: float) -> None:
    net = Net.from_plain(plain(layers=3, dropout=dropout))
    for built in (net.encoder(I), net.decoder(I)):
        assert [getattr(module, "p", None) for module in built.dropouts] == [dropout, dropout, None]


def test_a_nets_builds_share_no_weights() -> None:
    net = Net.from_plain(plain(layers=2, bidirectional=True))
    weights = [
        p.data_ptr() for built in (net.encoder(I), net.encoder(I), net.decoder(I)) for p in built.parameters()
    ]
    assert len(weights) == len(set(weights))


def test_from_plain_leaves_the_plain_data_as_it_was() -> None:
    given = plain(layers=2)
    Net.from_plain(given)
    assert given == plain(layers=2)


def test_a_net_of_an_unknown_cell_is_refused() -> None:
    with pytest.raises(UsageError, match="lstm"):
        Net.from_plain({"cell": {"name": "lstn"}})
