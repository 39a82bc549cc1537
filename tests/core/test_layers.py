from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.layers import Bidirectional, Bridge, Layer, Noise, Recurrent, Stack
from rnnx.core.net import Net
from rnnx.core.nets.skips import SKIPS, Dense, Highway, Plain, Residual, Skip
from rnnx.core.state import State
from rnnx.core.trees import Trees

N, T, I, H = 4, 5, 3, 6  # noqa: E741
LENGTHS = torch.tensor([2, 5, 1, 3])
pytestmark = pytest.mark.usefixtures("doubles")
each_skip = pytest.mark.parametrize("skip", SKIPS.values(), ids=SKIPS)


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


@pytest.mark.parametrize(("given", "named"), [(GRU, "the class GRU"), (torch.nn.GRUCell(3, 4), "a GRUCell")])
def test_a_layer_of_no_cell_is_refused(given: Any, named: str) -> None:
    with pytest.raises(TypeError, match=rf"^cell must be a .*Layer\(GRU\(3\)\), got {named}$"):
        Layer(given)


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


@pytest.mark.parametrize(
    ("x", "lengths", "problem"),
    [
        (torch.zeros(3, I), torch.tensor([3, 1]), r"x must have shape \(N, T, input_size=3\), got \(3, 3\)"),
        (
            torch.zeros(2, 3, 5),
            torch.tensor([3, 1]),
            r"x must have shape \(N, T, input_size=3\), got \(2, 3, 5\)",
        ),
        (torch.zeros(3, 2, I), torch.tensor([3, 1]), r"lengths must have shape \(3,\), got \(2,\)"),
        (torch.zeros(2, 3, I), [3, 1], "lengths must be a tensor of whole numbers, or None, got a list"),
        (torch.zeros(2, 3, I), torch.tensor([4, 1]), r"lengths must be from 0 to 3, got \[4, 1\]"),
    ],
)
def test_a_stack_refuses_in_a_sentence_what_it_cannot_read(x: Tensor, lengths: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{problem}"):
        two(Residual)(x, lengths)


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


class Shifting(Recurrent):
    """Adds what it drew once."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = I, I, ()

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: State | None = None,
        trees: Trees | None = None,
    ) -> tuple[Tensor, State]:
        raise NotImplementedError

    def step(self, x: Tensor, state: State, noise: Noise | None = None) -> tuple[Tensor, State]:
        (shift,) = self.noise(len(x), x) if noise is None else noise
        return x + shift, ()

    def initial_state(self, batch: int, like: Tensor) -> State:
        return ()

    def noise(self, batch: int, like: Tensor) -> Noise:
        return (torch.randn(batch, I).to(like),)


def test_a_stack_draws_for_each_layer_and_gives_each_its_own() -> None:
    layer, x, h = Layer(GRU(I, hidden_size=I)), torch.zeros(N, I), torch.randn(N, I)
    stack = Stack([Shifting(), Shifting(), layer], [Plain(I, I)] * 3)
    (first,), (second,), none = noise = stack.noise(N, x)
    assert none == ()
    expected, _ = layer.step(first + second, (h,))
    for _ in range(2):
        same(stack.step(x, (h,), noise)[0], expected)
    assert not stack.step(x, (h,))[0].isclose(expected).any()


def test_a_net_that_draws_nothing_has_no_noise() -> None:
    layer, (x, h) = Layer(GRU(I, hidden_size=H)), inputs()
    assert layer.noise(N, x) == ()
    assert torch.equal(layer.step(x[:, 0], (h,), ())[0], layer.step(x[:, 0], (h,))[0])


TREES = torch.tensor([[2, 2, 4, 4, -1], [1, 2, -1, -2, -2], [-1, -2, -2, -2, -2], [-1, 0, 0, 1, -2]])


def test_a_layer_composes_along_trees() -> None:
    """A step of torch's GRU from the sum of the children."""
    layer, (x, _), module = Layer(GRU(I, hidden_size=H)), inputs(), nn.GRUCell(I, H)
    module.load_state_dict(layer.cell.state_dict())
    y, (roots,) = layer(x, None, None, Trees.of(TREES))

    def node(n: int, t: int) -> Tensor:
        children = [node(n, child) for child, parent in enumerate(TREES[n].tolist()) if parent == t]
        return module(x[n, t], torch.stack([torch.zeros(H), *children]).sum(0))

    expected = torch.stack([torch.stack([node(n, t) for t in range(T)]) for n in range(N)])
    same(y, expected.where((TREES > -2).unsqueeze(-1), 0))
    same(roots, expected[TREES == -1])


@each_skip
def test_a_stack_has_its_ways_round_on_trees_too(skip: type[Skip]) -> None:
    stack, (x, _) = two(skip), inputs()
    nodes, trees = TREES > -2, Trees.of(TREES)
    dirty = x.masked_fill(~nodes.unsqueeze(-1), torch.nan)
    y, last = stack(dirty, nodes.sum(1), None, trees)
    below, first = stack.layers[0](x, None, None, trees)
    middle = stack.skips[0](x, below)
    above, second = stack.layers[1](middle, None, None, trees)
    same(y[nodes], stack.skips[1](middle, above)[nodes])
    same(last, first + second)
    assert y.isfinite().all()


def test_layers_that_read_from_the_end_compose_no_tree() -> None:
    trees, x = Trees.of(TREES), torch.zeros(N, T, I)
    back = Layer(GRU(I), reverse=True)
    for net in (back, Bidirectional(Layer(GRU(I)), back)):
        with pytest.raises(TypeError, match=r"one direction; set net\.bidirectional=false"):
            net(x, None, None, trees)


def test_layers_that_do_not_fit_are_refused() -> None:
    layers = [Layer(GRU(I, hidden_size=4)), Layer(GRU(5, hidden_size=4))]
    with pytest.raises(ValueError, match="gives 4 features and the next reads 5"):
        Stack(layers, [Plain(I, 4), Plain(5, 4)])


def test_a_bridge_makes_any_state_any_other() -> None:
    bridge, state = Bridge((2, 3), (4, 1, 2)), (torch.randn(N, 2), torch.randn(N, 3))
    weight, bias = bridge.parameters()
    whole = torch.tanh(state[0] @ weight[:, :2].T + state[1] @ weight[:, 2:].T + bias)
    initial = tuple(torch.full((N, size), float("nan")) for size in (4, 1, 2))
    same(bridge(state, initial), (whole[:, :4], whole[:, 4:5], whole[:, 5:]))


def test_what_a_cell_keeps_account_of_does_not_come_over_the_bridge() -> None:
    bridge, state = Bridge((2, 3), (4, 1, 2), (1,)), (torch.randn(N, 2), torch.randn(N, 3))
    weight, bias = bridge.parameters()
    whole = torch.tanh(state[0] @ weight[:, :2].T + state[1] @ weight[:, 2:].T + bias)
    initial = tuple(torch.randn(N, size) for size in (4, 1, 2))
    same(bridge(state, initial), (whole[:, :4], initial[1], whole[:, 4:]))


def test_a_net_keeps_the_accounts_of_its_cells() -> None:
    """A clock is the second tensor of a state; a window of the two inputs before, the second and third."""

    def accounts(cell: dict[str, Any], **options: Any) -> tuple[int, ...]:
        net = Net.from_plain({"cell": cell, "layers": 2, "bidirectional": True, **options})
        return net.encoder(I).bookkeeping

    clock = {"name": "clockwork", "hidden_size": 8}
    for options in ({}, {"variational_input": 0.1}, {"weight_drop": 0.1}):
        assert accounts(clock, **options) == (1, 3, 5, 7)
    assert accounts({"name": "qrnn", "hidden_size": 2, "kernel_size": 3}) == (1, 2, 4, 5, 7, 8, 10, 11)
    assert accounts({"name": "lstm", "hidden_size": 2}) == ()


def test_a_bridge_of_16_bits_takes_a_state_that_has_more_in_part() -> None:
    """As the clock of clockwork."""
    bridge = Bridge((2, 1), (3,)).bfloat16()
    initial = (torch.zeros(2, 3),)
    (found,) = bridge((torch.ones(2, 2, dtype=torch.bfloat16), torch.ones(2, 1)), initial)
    (wanted,) = bridge((torch.ones(2, 2).bfloat16(), torch.ones(2, 1).bfloat16()), initial)
    assert torch.equal(found, wanted)
