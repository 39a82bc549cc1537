from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.clockwork import Clockwork
from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.cells.qrnn import QRNN
from rnnx.core.cell import Cell
from rnnx.core.engine import fold, scan
from rnnx.core.nets.transition import DeepTransition
from rnnx.core.state import State

N, T, I, H = 4, 5, 3, 6  # noqa: E741
LENGTHS = torch.tensor([2, 5, 1, 3])
THEIRS = {Elman: nn.RNNCell, GRU: nn.GRUCell, LSTM: nn.LSTMCell}

pytestmark = pytest.mark.usefixtures("doubles")
each_cell = pytest.mark.parametrize("kind", THEIRS)


def same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def deep(kind: type[Any], cells: int = 3) -> DeepTransition:
    return DeepTransition([kind(I if first == 0 else H, hidden_size=H) for first in range(cells)])


def theirs(cell: Cell, x: Tensor, state: State) -> State:
    """A step of torch's cell with our weights."""
    module = THEIRS[type(cell)](cell.input_size, cell.output_size)
    module.load_state_dict(cell.state_dict())
    after = module(x, state if len(state) > 1 else state[0])
    return after if len(state) > 1 else (after,)


def by_hand(net: DeepTransition, x: Tensor, state: State) -> State:
    """The first cell reads the input, each other one what the one before gives; the state goes along."""
    for cell in net.cells:
        state = theirs(cell, x, state)
        x = state[0]
    return state


@each_cell
def test_cells_take_turns_within_a_step(kind: type[Any]) -> None:
    net = deep(kind)
    x, state = torch.randn(N, I), tuple(torch.randn(N, size) for size in net.state_sizes)
    y, after = net.step(net.project(x), state)
    expected = by_hand(net, x, state)
    same((y, *after), (expected[0], *expected))


@each_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_along_time_each_row_for_itself(kind: type[Any], reverse: bool) -> None:
    net, x = deep(kind), torch.randn(N, T, I)
    y, last = scan(net, x, LENGTHS, None, reverse)
    for n, length in enumerate(LENGTHS.tolist()):
        state = tuple(torch.zeros(1, size) for size in net.state_sizes)
        for t in sorted(range(length), reverse=reverse):
            state = by_hand(net, x[n : n + 1, t], state)
            same(y[n, t], state[0][0])
        same(tuple(tensor[n : n + 1] for tensor in last), state)
        assert y[n, length:].eq(0).all()


@each_cell
def test_at_a_trees_node_the_first_cell_reads_the_children(kind: type[Any]) -> None:
    net, x = deep(kind), torch.randn(1, 4, I)
    y, root = fold(net, x, torch.tensor([[2, 2, 3, -1]]))
    nothing = tuple(torch.zeros(1, size) for size in net.state_sizes)
    leaves = [by_hand(net, x[:, t], nothing) for t in (0, 1)]
    parent = by_hand(net, x[:, 2], tuple(map(torch.add, *leaves)))
    expected = by_hand(net, x[:, 3], parent)
    same(root, expected)
    same(y[0], torch.cat([state[0] for state in (*leaves, parent, expected)]))


def test_it_is_the_papers_deep_transition() -> None:
    """Pascanu et al. 2014: layers without a past of their own between one state and the next.

    ``h_t = f(U_3 f(U_2 f(U_1 h_{t-1} + W x_t)))``, of Elman's cells whose other recurrences are zero.
    """
    net = deep(Elman)
    with torch.no_grad():
        for cell in net.cells:
            cell.bias_ih.zero_()
            cell.bias_hh.zero_()
        for cell in net.cells[1:]:
            cell.weight_hh.zero_()
    first, second, third = net.cells
    x, h = torch.randn(N, T, I), torch.zeros(N, H)
    y, _ = scan(net, x)
    for t in range(T):
        h = torch.tanh(h @ first.weight_hh.T + x[:, t] @ first.weight_ih.T)
        h = torch.tanh(torch.tanh(h @ second.weight_ih.T) @ third.weight_ih.T)
        same(y[:, t], h)


def test_its_state_and_widths_are_its_cells() -> None:
    class Wide(Cell):
        """Its output is wider than its state, which starts at 7."""

        def __init__(self, input_size: int) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = input_size, H + 1, (H,)
            self.linear = nn.Linear(input_size, H)

        def project(self, x: Tensor) -> Tensor:
            return self.linear(x)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.sin(z + state[0])
            return torch.cat((h, h[:, :1]), -1), (h,)

        def initial_state(self, batch: int, like: Tensor) -> State:
            return (like.new_full((batch, H), 7),)

    first, second = Wide(I), Wide(H + 1)
    net = DeepTransition([first, second])
    assert (net.input_size, net.output_size, net.state_sizes) == (I, H + 1, (H,))
    x = torch.randn(N, 1, I)
    y, (last,) = scan(net, x)
    h = torch.sin(x[:, 0] @ first.linear.weight.T + first.linear.bias + 7)
    seen = torch.cat((h, h[:, :1]), -1)
    same(last, torch.sin(seen @ second.linear.weight.T + second.linear.bias + h))
    same(y[:, 0], torch.cat((last, last[:, :1]), -1))
    assert DeepTransition([first, GRU(H + 1, hidden_size=H)]).output_size == H


def test_every_cell_learns() -> None:
    net = deep(LSTM)
    y, _ = scan(net, torch.randn(N, T, I))
    y.square().sum().backward()
    assert all(weight.grad.ne(0).any() for weight in net.parameters())
    assert len(list(net.parameters())) == 3 * 4


@pytest.mark.parametrize(
    "second",
    [GRU(I, hidden_size=H), GRU(H, hidden_size=H + 1), LSTM(H, hidden_size=H)],
    ids=["input", "state", "form"],
)
def test_cells_that_do_not_fit_are_refused(second: Cell) -> None:
    with pytest.raises(ValueError, match=r"gives 6 features with a state \(6,\), and the next reads"):
        DeepTransition([GRU(I, hidden_size=H), second])


def test_a_clock_ticks_once_a_step_whoever_has_taken_turns() -> None:
    """Koutník et al. 2014: a module of period ``T`` moves in steps 0, T, 2 T ..., both cells alike."""
    net = DeepTransition([Clockwork(size, hidden_size=H, periods=(1, 2, 4)) for size in (I, H)])
    assert (net.state_sizes, net.bookkeeping) == ((H, 1, 1), (1, 2))
    x, state = torch.randn(N, T, I), net.initial_state(N, torch.zeros(1))
    for t in range(T):
        h, *_ = state
        _, state = net.step(net.project(x[:, t]), state)
        still = [t % period != 0 for period in (1, 2, 4) for _ in range(H // 3)]
        assert state[0].eq(h).all(0).tolist() == still
        same(state[1:], (torch.full((N, 1), (t + 1) % 4 / 4),) * 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_window_is_of_what_its_own_cell_has_read(reverse: bool) -> None:
    """Bradbury et al. 2016, equations 2 and 5: each cell's gates see its own last input, c goes along."""
    first, second = QRNN(I, hidden_size=H), QRNN(H, hidden_size=H)
    net = DeepTransition([first, second])
    x = torch.randn(N, T, I)
    y, _ = scan(net, x, None, None, reverse)
    c, before, h_before = torch.zeros(N, H), torch.zeros(N, I), torch.zeros(N, H)

    def turn(cell: QRNN, now: Tensor, last: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        w0, w1 = cell.weight_ih.chunk(2)
        z, f, o = (now @ w0.T + last @ w1.T + cell.bias_ih).chunk(3, -1)
        c = f.sigmoid() * c + (1 - f.sigmoid()) * z.tanh()
        return o.sigmoid() * c, c

    for t in reversed(range(T)) if reverse else range(T):
        h, c = turn(first, x[:, t], before, c)
        seen, c = turn(second, h, h_before, c)
        same(y[:, t], seen)
        before, h_before = x[:, t], h


def test_at_a_trees_node_accounts_add_up_as_states_do() -> None:
    net = DeepTransition([QRNN(size, hidden_size=H) for size in (I, H)])
    children = tuple(torch.randn(N, 2, size) for size in net.state_sizes)
    mask = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    x = torch.randn(N, I)
    summed = tuple((child * mask.unsqueeze(-1)).sum(1) for child in children)
    same(net.fold(net.project(x), children, mask), net.step(net.project(x), summed))
