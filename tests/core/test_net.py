from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.errors import UsageError
from rnnx.core.layers import Bidirectional, Layer, Recurrent, Stack
from rnnx.core.net import Net
from rnnx.core.nets.dropout import Dropout
from rnnx.core.nets.skips import SKIPS, Plain
from rnnx.core.nets.transition import DeepTransition
from rnnx.core.nets.variational_dropout import VariationalDropout
from rnnx.core.nets.weight_drop import WeightDrop
from rnnx.core.nets.zoneout import Zoneout
from rnnx.core.options import options_of
from rnnx.core.resolution import resolve
from rnnx.core.trees import Trees

N, T, I, H = 4, 5, 3, 8  # noqa: E741
LENGTHS = torch.tensor([2, 5, 1, 3])
TREES = torch.tensor([[1, 2, -1, -2, -2], [2, 2, 4, 4, -1], [-1, -2, -2, -2, -2], [-1, 0, 0, -2, -2]])
CELLS = sorted(entry.name for entry in entry_points(group="rnnx.cells"))
NO_MATRIX = {"sru", "qrnn"}
NO_CANDIDATE = {"elman", "jordan", "clockwork", "tree-rnn", "rntn"}
RATES = {
    "dropout": 0.5,
    "variational_input": 0.1,
    "variational_state": 0.2,
    "variational_output": 0.3,
    "weight_drop": 0.4,
    "zoneout": 0.6,
    "recurrent_dropout": 0.7,
}

pytestmark = pytest.mark.usefixtures("doubles")
each_cell = pytest.mark.parametrize("name", CELLS)


def plain(**options: Any) -> dict[str, Any]:
    return {"cell": {"name": "lstm", "hidden_size": H}} | options


def test_options_from_python_are_held_to_their_bounds_all_at_once() -> None:
    with pytest.raises(UsageError) as told:
        Net.from_plain(plain(layers=0, dropout=1.5, skip="residul", layer=2))
    assert told.value.problems == (
        "net.layers: expected an integer of at least 1, got 0",
        "net.dropout: expected a number of at least 0 and below 1, got 1.5",
        "net.skip: 'residul' is not one of none, residual, dense, highway; did you mean 'residual'?",
        "net.layer: no such option of net; did you mean 'layers'?",
    )


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


def test_a_cell_may_be_its_name_alone() -> None:
    assert Net.from_plain({"cell": "gru"}).cell == Net.from_plain({"cell": {"name": "gru"}}).cell


def test_from_plain_leaves_the_plain_data_as_it_was() -> None:
    given = plain(layers=2)
    Net.from_plain(given)
    assert given == plain(layers=2)


def test_a_net_of_an_unknown_cell_is_refused() -> None:
    with pytest.raises(UsageError, match="lstm"):
        Net.from_plain({"cell": {"name": "lstn"}})


def layers(net: Recurrent) -> Iterator[Layer]:
    return (module for module in net.modules() if isinstance(module, Layer))


def suited(name: str, **options: Any) -> dict[str, Any]:
    """Options without those that a cell has nothing for."""
    lacking = {"weight_drop", "variational_state"} if name in NO_MATRIX else set()
    lacking |= {"recurrent_dropout"} if name in NO_CANDIDATE else set()
    chosen = {option: value for option, value in options.items() if option not in lacking}
    return {"cell": {"name": name, "hidden_size": H}} | chosen


# Regularisation


def test_without_a_rate_nothing_is_added() -> None:
    """The net is torch's: its modules, its random numbers, and the names of its weights."""
    torch.manual_seed(1)
    net = Net.from_plain(plain(layers=2, bidirectional=True, **dict.fromkeys(RATES, 0.0))).encoder(I)
    torch.manual_seed(1)
    expected = [nn.LSTM(size, H, 1, bidirectional=True) for size in (I, 2 * H)]
    assert {type(module) for module in net.modules()} == {
        *(Stack, Bidirectional, Layer, Plain, nn.ModuleList, Dropout, nn.Identity),
        type(next(layers(net)).cell),
    }
    assert {type(layer.cell).__name__ for layer in layers(net)} == {"LSTM"}
    weights = [weight for module in expected for weight in module.parameters()]
    torch.testing.assert_close(list(net.parameters()), weights, rtol=0, atol=1e-15)
    assert "layers.0.forth.cell.weight_hh" in net.state_dict()
    x = torch.randn(N, T, I)
    y, _ = expected[1](expected[0](x.transpose(0, 1))[0])
    torch.testing.assert_close(net(x)[0], y.transpose(0, 1), rtol=0, atol=1e-12)
    assert torch.equal(net(x)[0], net.eval()(x)[0])


def test_each_rate_goes_where_it_belongs() -> None:
    net = Net.from_plain(plain(layers=2, bidirectional=True, transitions=2, **RATES)).encoder(I)
    assert [getattr(module, "p", None) for module in net.dropouts] == [0.5, None]
    for both in net.layers:
        for direction, reverse in ((both.forth, False), (both.back, True)):
            assert type(direction) is VariationalDropout
            assert (direction.inputs, direction.outputs) == (0.1, 0.3)
            assert type(direction.layer) is WeightDrop
            assert (direction.layer.elements, direction.layer.columns) == (0.4, 0.2)
            layer = direction.layer.layer
            assert (type(layer), layer.reverse) == (Layer, reverse)
            assert (type(layer.cell), layer.cell.rates) == (Zoneout, (0.6, 0.6))
            assert type(layer.cell.cell) is DeepTransition
            for cell in layer.cell.cell.cells:
                assert cell.recurrent_dropout == 0.7


@pytest.mark.parametrize("option", RATES)
@pytest.mark.parametrize("mode", ["forward", "packed", "both", "step"])
def test_each_rate_acts_in_training_and_is_off_in_evaluation(option: str, mode: str) -> None:
    torch.manual_seed(1)
    without = Net.from_plain(plain(layers=2, bidirectional=mode == "both"))
    bare = without.encoder(I)
    torch.manual_seed(1)
    net = Net.from_plain(plain(layers=2, bidirectional=mode == "both", **{option: 0.5})).encoder(I)
    x, state = torch.randn(N, T, I), tuple(torch.randn(N, H) for _ in bare.state_sizes)

    def read(model: Recurrent) -> Tensor:
        if mode == "step":
            return model.step(x[:, 0], state)[0]
        return model(x, LENGTHS if mode == "packed" else None, state)[0]

    assert not read(net).isclose(read(net)).all()
    assert read(bare).isclose(read(bare)).all()
    different = option == "zoneout"  # its expectation is not what the cell does
    assert read(net.eval()).isclose(read(bare.eval()), rtol=0, atol=1e-12).all() != different
    assert torch.equal(read(net), read(net))


def test_zoneout_may_have_a_rate_for_each_tensor_of_the_state() -> None:
    net = Net.from_plain(plain(zoneout=[0.5, 0.05])).encoder(I)
    assert [layer.cell.rates for layer in layers(net)] == [(0.5, 0.05)]
    net = Net.from_plain(plain(zoneout=[0.0, 0.05])).encoder(I)
    assert [layer.cell.rates for layer in layers(net)] == [(0.0, 0.05)]
    net = Net.from_plain(plain(zoneout=[0.0, 0.0])).encoder(I)
    assert not any(isinstance(layer.cell, Zoneout) for layer in layers(net))


@pytest.mark.parametrize(
    ("name", "rates"), [("clockwork", (0.5, 0.0)), ("qrnn", (0.5, 0.0)), ("lstm", (0.5, 0.5))]
)
def test_one_rate_of_zoneout_is_for_what_is_memory(name: str, rates: tuple[float, ...]) -> None:
    """A clock that kept its old time, or a window its old inputs, would make another cell of it."""
    (layer,) = layers(Net.from_plain(suited(name, zoneout=0.5)).decoder(I))
    assert layer.cell.rates == rates
    (layer,) = layers(Net.from_plain(suited(name, zoneout=[0.1, 0.2])).decoder(I))
    assert layer.cell.rates == (0.1, 0.2)


@pytest.mark.parametrize("rates", [[0.5], [0.5, 0.05, 0.1], []])
def test_zoneout_of_another_number_of_tensors_is_refused(rates: list[float]) -> None:
    with pytest.raises(UsageError) as refused:
        Net.from_plain(plain(zoneout=rates)).encoder(I)
    assert str(refused.value) == (
        "net.zoneout: expected one rate, or one for each tensor of the state, of which cell 'lstm' has 2, "
        f"got {rates}"
    )


def test_rates_are_written_on_the_command_line() -> None:
    config = resolve(["cell=lstm", "task=lm", "net.zoneout=[0.5,0.05]", "net.weight_drop=0.5"])
    net = Net.from_plain(config.net_plain)
    assert (tuple(net.zoneout), net.weight_drop) == ((0.5, 0.05), 0.5)
    assert resolve(["cell=lstm", "task=lm", "net.zoneout=0.1"]).net["zoneout"] == 0.1
    for words in ("net.zoneout=[0.5,1]", "net.zoneout=1", "net.weight_drop=1", "net.variational_state=-0.1"):
        with pytest.raises(UsageError, match="of at least 0 and below 1"):
            resolve(["cell=lstm", "task=lm", words])


@pytest.mark.parametrize("name", sorted(NO_MATRIX))
@pytest.mark.parametrize("option", ["weight_drop", "variational_state"])
def test_dropping_recurrent_matrices_that_are_not_there_is_refused(name: str, option: str) -> None:
    with pytest.raises(UsageError) as refused:
        Net.from_plain({"cell": {"name": name, "hidden_size": H}, option: 0.5}).encoder(I)
    assert str(refused.value) == (
        f"net.{option}: cell {name!r} multiplies its past by no matrix, so there is nothing to drop; set it "
        "to 0"
    )


@pytest.mark.parametrize("name", sorted(NO_CANDIDATE))
def test_dropping_a_candidate_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        Net.from_plain({"cell": {"name": name, "hidden_size": H}, "recurrent_dropout": 0.5}).decoder(I)
    assert str(refused.value) == (
        f"net.recurrent_dropout: cell {name!r} passes nothing through Cell.drop_candidate, so there is "
        "nothing to drop; set it to 0"
    )


@pytest.mark.parametrize("option", [*RATES, "match"])
def test_rates_change_no_random_number_of_what_is_built(option: str) -> None:
    """What is built with a regulariser, and after it, starts as without."""
    value = 10_000 if option == "match" else 0.5
    started = []
    for options in ({}, {option: value}):
        torch.manual_seed(1)
        net = Net.from_plain(plain(layers=2, bidirectional=True, **options)).encoder(I)
        started.append([*net.parameters(), torch.rand(3)])
    assert all(map(torch.equal, *started))
    assert len(started[0]) == len(started[1])


@each_cell
def test_every_cell_takes_all_that_it_can_together(name: str) -> None:
    options = suited(name, layers=2, bidirectional=True, transitions=2, skip="highway", **RATES)
    options["cell"] |= {"periods": [1, 2]} if name == "clockwork" else {}
    net = Net.from_plain(options)
    encoder, decoder, x = net.encoder(I), net.decoder(I), torch.randn(N, T, I)

    y, last = encoder(x, LENGTHS)
    sum((tensor.square().sum() for tensor in last), y.square().sum()).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in encoder.parameters())
    assert y[torch.arange(T) >= LENGTHS.unsqueeze(1)].eq(0).all()

    state, noise = decoder.initial_state(N, x), decoder.noise(N, x)
    for x_t in x.unbind(1):
        y_t, state = decoder.step(x_t, state, noise)
        assert y_t.isfinite().all()
    decoder.eval()
    y, last = decoder(x)
    state = decoder.initial_state(N, x)
    for t, x_t in enumerate(x.unbind(1)):
        y_t, state = decoder.step(x_t, state)
        torch.testing.assert_close(y_t, y[:, t], rtol=0, atol=1e-12)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)

    trees, nodes = Trees.of(TREES), TREES > -2
    for training in (True, False):
        y, roots = decoder.train(training)(x, nodes.sum(1), None, trees)
        assert y.isfinite().all()
        assert [tensor.shape for tensor in roots] == [(N, size) for size in decoder.state_sizes]
    for n in range(N):
        size = int(nodes[n].sum())
        row, root = decoder(x[n : n + 1, :size], None, None, Trees.of(TREES[n : n + 1, :size]))
        torch.testing.assert_close(y[n, :size], row[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(tuple(tensor[n : n + 1] for tensor in roots), root, rtol=0, atol=1e-12)

    other = net.decoder(I).eval()
    other.load_state_dict(decoder.state_dict())
    assert torch.equal(other(x)[0], decoder(x)[0])


@each_cell
def test_a_chain_is_a_sequence_under_zoneout_too(name: str) -> None:
    """In evaluation, of a cell whose state starts at zero."""
    net = Net.from_plain(suited(name, transitions=2, zoneout=0.3)).decoder(I).eval()
    x, chain = torch.randn(N, T, I), torch.tensor([[1, 2, 3, 4, -1]] * N)
    y, last = net(x)
    expected, root = net(x, None, None, Trees.of(chain))
    torch.testing.assert_close((y, last), (expected, root), rtol=0, atol=1e-12)


def test_a_copy_of_a_net_is_a_net_of_its_own() -> None:
    net = Net.from_plain(plain(layers=2, **RATES)).encoder(I)
    other, x = copy.deepcopy(net), torch.randn(N, T, I)
    other.load_state_dict({name: weight + 1 for name, weight in net.state_dict().items()})
    before = net.eval()(x)[0]
    assert not other.eval()(x)[0].isclose(before).all()
    assert torch.equal(net(x)[0], before)


# How it starts


@pytest.mark.parametrize("transitions", [1, 3])
def test_its_matrices_start_as_told_in_every_cell(transitions: int) -> None:
    options = plain(
        layers=2,
        bidirectional=True,
        transitions=transitions,
        recurrent_init="orthogonal",
        input_init="uniform",
        init_range=0.01,
    )
    net = Net.from_plain(options).encoder(I)
    weights = dict(net.named_parameters())
    past = [weight for name, weight in weights.items() if name.endswith("weight_hh")]
    inputs = [weight for name, weight in weights.items() if name.endswith("weight_ih")]
    assert len(past) == len(inputs) == 4 * transitions
    for weight in past:
        for gate in weight.split(H):
            torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-6)
    for weight in inputs:
        assert 0.008 < weight.abs().max() <= 0.01
    for name, weight in weights.items():
        if "bias" in name:
            assert 0.01 < weight.abs().max() <= H**-0.5


def test_how_it_starts_is_bounded_and_named() -> None:
    options = options_of(Net)
    assert options["input_init"].default == options["recurrent_init"].default == "cell"
    for words in ("net.init_range=0", "net.recurrent_init=identity", "net.transitions=0", "net.match=-1"):
        with pytest.raises(UsageError, match="net"):
            resolve(["cell=lstm", "task=lm", words])


# Transitions


def test_transitions_are_cells_of_one_step() -> None:
    net = Net.from_plain(plain(transitions=3)).decoder(I)
    (layer,) = layers(net)
    x, state = torch.randn(N, I), (torch.randn(N, H), torch.randn(N, H))
    y, after = net.step(x, state)
    for cell in layer.cell.cells:
        module = nn.LSTMCell(cell.input_size, H)
        module.load_state_dict(cell.state_dict())
        state = module(x, state)
        x = state[0]
    torch.testing.assert_close((y, *after), (x, *state), rtol=0, atol=1e-12)
    assert net.state_sizes == (H, H)


def test_what_is_recomputed_is_the_same_in_all_layers_and_directions() -> None:
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        cell = {"name": "gru", "hidden_size": 4}
        plain = {"cell": cell, "layers": 2, "bidirectional": True, "weight_drop": 0.5, "recompute": recompute}
        net = Net.from_plain(plain).encoder(3)
        layers = [module for module in net.modules() if isinstance(module, Layer)]
        assert [layer.recompute for layer in layers] == [recompute] * 4
        x = torch.randn(2, 9, 3, requires_grad=True)
        y, _ = net(x, torch.tensor([9, 4]))
        results.append([y, *torch.autograd.grad(y.square().sum(), [x, *net.parameters()])])
    torch.testing.assert_close(*results)
