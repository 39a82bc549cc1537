"""What is recorded of cells, against torch's own modules and their formulas, and of a cell nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.core.cell import Cell
from rnnx.core.exhibits.recording import Gates, recording, trails
from rnnx.core.layers import Bidirectional, Layer, Stack
from rnnx.core.nets.skips import Plain
from rnnx.core.state import State

STEPS, INPUTS, SIZE = 6, 3, 4


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


def with_weights_of(cell: Cell, twin: nn.Module) -> Cell:
    """A cell with the weights of torch's module of one layer."""
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data.copy_(getattr(twin, f"{name}_l0"))
    return cell


def test_states_and_gates_of_a_gru_are_those_of_torch() -> None:
    twin, x = nn.GRU(INPUTS, SIZE, batch_first=True), torch.randn(1, STEPS, INPUTS)
    net = Layer(with_weights_of(GRU(INPUTS, hidden_size=SIZE), twin))
    (trail,) = trails(net, lambda: net(x))

    h, (past, *_) = twin(x)[0][0], [torch.zeros(1, SIZE)]
    before = torch.cat((past, h[:-1]))
    sums = x[0] @ twin.weight_ih_l0.T + twin.bias_ih_l0 + before @ twin.weight_hh_l0.T + twin.bias_hh_l0
    reset, update = 1 / (1 + (-sums[:, :SIZE]).exp()), 1 / (1 + (-sums[:, SIZE : 2 * SIZE]).exp())
    assert trail.layer == ""
    assert list(trail.parts()) == ["state 1", "gate 1", "gate 2"]
    for name, expected in {"state 1": h, "gate 1": reset, "gate 2": update}.items():
        torch.testing.assert_close(trail.parts()[name], expected)


def test_states_and_gates_of_an_lstm_are_those_of_torch() -> None:
    twin, x = nn.LSTM(INPUTS, SIZE, batch_first=True), torch.randn(1, STEPS, INPUTS)
    net = Layer(with_weights_of(LSTM(INPUTS, hidden_size=SIZE), twin))
    (trail,) = trails(net, lambda: net(x))

    h, (_, last) = twin(x)[0][0], twin(x)[1]
    before = torch.cat((torch.zeros(1, SIZE), h[:-1]))
    sums = x[0] @ twin.weight_ih_l0.T + twin.bias_ih_l0 + before @ twin.weight_hh_l0.T + twin.bias_hh_l0
    i, f, _, o = (1 / (1 + (-part).exp()) for part in sums.split(SIZE, 1))
    torch.testing.assert_close(trail.states[0], h)
    torch.testing.assert_close(trail.states[1][-1], last[0, 0])
    for gate, expected in zip(trail.gates, (f, i, o), strict=True):  # in the order of the step
        torch.testing.assert_close(gate, expected)


class Leaky(Cell):
    """A stranger's: how much leaks is said by what is read."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        leak = z.sigmoid()
        h = leak * state[0] + 1
        return h, (h,)


X = torch.tensor([[[0.0], [torch.inf], [0.0]]])


def test_a_cell_that_nobody_knows_is_recorded_in_reading_order() -> None:
    net = Stack([Bidirectional(Layer(Leaky()), Layer(Leaky(), reverse=True))], [Plain(1, 2)])
    forth, back = trails(net, lambda: net(X.double()))
    assert (forth.layer, back.layer) == ("layers.0.forth", "layers.0.back")
    assert forth.gates[0].flatten().tolist() == back.gates[0].flatten().tolist() == [0.5, 1, 0.5]
    assert forth.states[0].flatten().tolist() == [1, 2, 2]
    assert back.states[0].flatten().tolist() == [2, 2, 1]


def test_steps_are_recorded_as_well_as_scans() -> None:
    net = Layer(Leaky())

    def step_by_step() -> None:
        state = net.initial_state(1, X.double())
        for x in X.double().unbind(1):
            _, state = net.step(x, state)

    assert trails(net, step_by_step)[0].states[0].flatten().tolist() == [1, 2, 2]


def test_a_cell_without_gates_has_none_and_one_that_changes_its_gates_too() -> None:
    class Changing(Leaky):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z, state) if float(state[0]) else (z, (state[0] + 1,))

    elman, changing = Layer(Elman(1, hidden_size=2)), Layer(Changing())
    assert trails(elman, lambda: elman(X.double() * 0))[0].gates == []
    assert trails(changing, lambda: changing(X.double()))[0].gates == []


def test_gates_side_by_side_are_told_apart_only_where_they_are_as_wide_as_the_state() -> None:
    class Wide(Cell):
        input_size, output_size, state_sizes = 3, 2, (2,)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return z[:, :2], (torch.sigmoid(z)[:, :2],)

    net = Layer(Wide())
    assert [gate.shape for gate in trails(net, lambda: net(torch.zeros(1, 5, 3)))[0].gates] == [(5, 3)]


def test_the_net_is_as_it_was_and_what_did_not_read_is_left_out() -> None:
    nets = nn.ModuleList([Layer(GRU(1, hidden_size=2)), Layer(GRU(1, hidden_size=2))])
    with pytest.raises(ZeroDivisionError), recording(nets):
        1 / 0  # noqa: B018
    assert not {"step", "unroll"} & (vars(nets[0].cell).keys() | vars(nets[1].cell).keys())
    assert [trail.layer for trail in trails(nets, lambda: nets[1](X.double() * 0))] == ["1"]
    assert not nets[0]._forward_hooks
    assert not nets[0]._forward_pre_hooks


def test_a_gate_is_kept_as_it_was_when_it_is_written_over() -> None:
    with Gates() as gates:
        torch.sigmoid(torch.zeros(1)).add_(1)
    assert [gate.tolist() for gate in gates.found] == [[0.5]]
