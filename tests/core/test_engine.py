from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn

from rnnx.cells.elman import Elman
from rnnx.cells.gru import GRU
from rnnx.cells.lstm import LSTM
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core import engine
from rnnx.core.cell import Cell, TreeCell, is_unrolled_by_its_class
from rnnx.core.engine import flip, fold, loop, scan
from rnnx.core.layers import Layer
from rnnx.core.state import State, detach, select
from rnnx.core.unrolling.substitution import with_tensors

N, T, I = 4, 5, 3  # noqa: E741
LENGTHS = {
    "none": None,
    "all full": [5, 5, 5, 5],
    "falling": [5, 4, 2, 1],
    "unsorted": [2, 5, 1, 3],
    "all shorter than the padding": [2, 3, 1, 3],
    "with empty rows": [0, 5, 0, 2],
    "only empty rows": [0, 0, 0, 0],
}


@final
class Odd(Cell):
    """Its projection, output and two state tensors have their own widths; its state starts at a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = I, 4, (2, 5)
        self.input, self.output = nn.Linear(I, 6), nn.Linear(7, 4)
        self.first, self.second = nn.Linear(11, 2), nn.Linear(8, 5)
        self.start = nn.Parameter(torch.tensor([0.25, -0.5]))

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b = state
        a = torch.tanh(self.first(torch.cat((z, b), -1)) + a)
        b = torch.tanh(self.second(torch.cat((z, a), -1)))
        return self.output(torch.cat((a, b), -1)), (a, b)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.start.expand(batch, -1), like.new_full((batch, 5), 0.125)


@final
class Sum(Cell):
    """Adds up what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return state[0] + z, (state[0] + z,)


@final
class Ordered(TreeCell):
    """Child k counts k + 1 times."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1,)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        h = z + torch.einsum("nk,nks->ns", (mask * torch.arange(1, mask.shape[1] + 1)).to(z), children[0])
        return h, (h,)


@final
class Counting(TreeCell):
    """Gives the number of a node's children."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1,)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        count = mask.sum(1, keepdim=True).to(z)
        return count, (count,)


def by_hand(cell: Cell, x: Tensor, lengths: Tensor | None, state: State, reverse: bool) -> tuple[Tensor, ...]:
    """One row, one step at a time, in plain Python."""
    ys, lasts = [], []
    for n in range(len(x)):
        length = x.shape[1] if lengths is None else int(lengths[n])
        row, now = [x.new_zeros(1, cell.output_size)] * x.shape[1], select(state, slice(n, n + 1))
        for t in sorted(range(length), reverse=reverse):
            row[t], now = cell.step(cell.project(x[n : n + 1, t]), now)
        ys.append(torch.cat(row))
        lasts.append(now)
    return torch.stack(ys), *(torch.cat(tensors) for tensors in zip(*lasts, strict=True))


def gradients(outputs: tuple[Tensor, ...], of: list[Tensor]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    total = sum((o * torch.rand(o.shape, generator=generator, dtype=o.dtype)).sum() for o in outputs)
    return list(torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True))


@pytest.fixture(params=LENGTHS.values(), ids=LENGTHS)
def lengths(request: pytest.FixtureRequest) -> Tensor | None:
    return None if request.param is None else torch.tensor(request.param)


@pytest.fixture(params=[False, True], ids=["forth", "back"])
def reverse(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def cell() -> Odd:
    torch.manual_seed(0)
    return Odd().double()


@pytest.fixture
def x(cell: Odd) -> Tensor:
    return torch.randn(N, T, I, dtype=torch.double, requires_grad=True)


def test_scan_is_a_row_at_a_time(cell: Odd, x: Tensor, lengths: Tensor | None, reverse: bool) -> None:
    state = tuple(torch.randn(N, s, dtype=torch.double, requires_grad=True) for s in (2, 5))
    y, last = scan(cell, x, lengths, state, reverse)
    expected = by_hand(cell, x, lengths, state, reverse)
    torch.testing.assert_close((y, *last), expected, rtol=0, atol=1e-13)
    of = [x, *state, *cell.parameters()]
    torch.testing.assert_close(gradients((y, *last), of), gradients(expected, of), rtol=0, atol=1e-12)


def test_scan_starts_where_the_cell_says(cell: Odd, x: Tensor, lengths: Tensor | None, reverse: bool) -> None:
    y, last = scan(cell, x, lengths, reverse=reverse)
    start = (
        torch.tensor([[0.25, -0.5]] * N, dtype=torch.double),
        torch.full((N, 5), 0.125, dtype=torch.double),
    )
    torch.testing.assert_close((y, *last), by_hand(cell, x, lengths, start, reverse), rtol=0, atol=1e-13)


def test_the_loop_is_a_row_at_a_time(cell: Odd, x: Tensor, lengths: Tensor | None) -> None:
    state = cell.initial_state(N, x)
    y, last = loop(cell, x, lengths, state)
    torch.testing.assert_close((y, *last), by_hand(cell, x, lengths, state, False), rtol=0, atol=1e-13)


@pytest.mark.parametrize("junk", [1e30, torch.nan, torch.inf])
def test_padding_changes_nothing_and_gets_no_gradient(
    cell: Odd, x: Tensor, reverse: bool, junk: float
) -> None:
    lengths = torch.tensor([2, 5, 0, 3])
    padding = torch.arange(T) >= lengths.unsqueeze(1)  # (N, T)
    dirty = x.detach().masked_fill(padding.unsqueeze(-1), junk).requires_grad_()
    y, last = scan(cell, dirty, lengths, reverse=reverse)
    clean_y, clean_last = scan(cell, x, lengths, reverse=reverse)
    assert torch.equal(y, clean_y)
    torch.testing.assert_close(last, clean_last, rtol=0, atol=0)
    assert y[padding].eq(0).all()
    to_x, *to_weights = gradients((y, *last), [dirty, *cell.parameters()])
    assert to_x[padding].eq(0).all()
    clean_x, *clean_weights = gradients((clean_y, *clean_last), [x, *cell.parameters()])
    torch.testing.assert_close([to_x, *to_weights], [clean_x, *clean_weights], rtol=0, atol=0)


def test_a_row_knows_nothing_of_its_neighbours(
    cell: Odd, x: Tensor, lengths: Tensor | None, reverse: bool
) -> None:
    y, last = scan(cell, x, lengths, reverse=reverse)
    other = torch.cat((x[:1], torch.randn_like(x[1:])))
    changed_y, changed_last = scan(cell, other, lengths, reverse=reverse)
    torch.testing.assert_close(y[0], changed_y[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(select(last, slice(1)), select(changed_last, slice(1)), rtol=0, atol=1e-14)
    (to_x,) = gradients((y[0], *select(last, slice(1))), [x])
    assert to_x[1:].eq(0).all()


@given(cuts=st.lists(st.integers(0, T), max_size=3).map(sorted))
@settings(max_examples=20, deadline=None)
def test_chunks_with_the_state_carried_are_the_whole(cuts: list[int]) -> None:
    torch.manual_seed(0)
    cell, lengths = Odd().double(), torch.tensor([2, 5, 0, 3])
    x = torch.randn(N, T, I, dtype=torch.double)
    state, ys = cell.initial_state(N, x), []
    for start, end in zip([0, *cuts], [*cuts, T], strict=True):
        y, state = scan(cell, x[:, start:end], (lengths - start).clamp(0, end - start), state)
        ys.append(y)
    whole_y, whole = scan(cell, x, lengths)
    torch.testing.assert_close((torch.cat(ys, 1), *state), (whole_y, *whole), rtol=0, atol=1e-13)


def test_a_detached_state_cuts_the_gradient_between_chunks(cell: Odd, x: Tensor) -> None:
    _, state = scan(cell, x[:, :2])
    y, _ = scan(cell, x[:, 2:], None, detach(state))
    (to_x,) = gradients((y,), [x])
    assert to_x[:, :2].eq(0).all()
    assert to_x[:, 2:].ne(0).any(-1).all()


def test_gradients_are_those_of_finite_differences(cell: Odd, reverse: bool) -> None:
    def read(x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        y, last = scan(cell, x, torch.tensor([1, 3, 0]), state, reverse)
        return y, *last

    x = torch.randn(3, 3, I, dtype=torch.double, requires_grad=True)
    state = [torch.randn(3, s, dtype=torch.double, requires_grad=True) for s in (2, 5)]
    assert torch.autograd.gradcheck(read, (x, *state))


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("given_lengths", [False, True])
def test_nothing_to_read(cell: Odd, rows: int, steps: int, given_lengths: bool, reverse: bool) -> None:
    x = torch.randn(rows, steps, I, dtype=torch.double)
    lengths = torch.zeros(rows, dtype=torch.long) if given_lengths else None
    y, last = scan(cell, x, lengths, reverse=reverse)
    assert y.shape == (rows, steps, 4)
    if steps == 0 or given_lengths:
        torch.testing.assert_close((y, *last), (torch.zeros_like(y), *cell.initial_state(rows, x)))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"x": (2, 5, 4)}, r"input_size=3\), got \(2, 5, 4\)"),
        ({"x": (5, 3)}, r"input_size=3\), got \(5, 3\)"),
        ({"lengths": (3,)}, r"lengths must have shape \(2,\), got \(3,\)"),
        ({"lengths": (2, 1)}, r"lengths must have shape \(2,\), got \(2, 1\)"),
        ({"second": (2, 4)}, r"shapes \[\(2, 2\), \(2, 5\)\], got \[\(2, 2\), \(2, 4\)\]"),
        ({"second": (1, 5)}, r"shapes \[\(2, 2\), \(2, 5\)\], got \[\(2, 2\), \(1, 5\)\]"),
    ],
)
def test_a_wrong_shape_is_refused(cell: Odd, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    given = {"x": (2, 5, I), "lengths": (2,), "first": (2, 2), "second": (2, 5)} | shapes
    x, lengths, first, second = (torch.ones(shape, dtype=torch.double) for shape in given.values())
    with pytest.raises(ValueError, match=message):
        scan(cell, x, lengths.long(), (first, second))


@pytest.mark.parametrize("lengths", [[6, 2], [-1, 5]])
@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_that_no_row_can_have_are_refused(cell: Odd, lengths: list[int], reverse: bool) -> None:
    x, said = torch.ones(2, 5, I).double(), re.escape(f"lengths must be from 0 to 5, got {lengths}")
    with pytest.raises(ValueError, match=said):
        scan(cell, x, torch.tensor(lengths), reverse=reverse)


def test_a_state_of_too_few_tensors_is_refused(cell: Odd, x: Tensor) -> None:
    with pytest.raises(ValueError, match=rf"shapes \[\({N}, 2\), \({N}, 5\)\], got \[\({N}, 2\)\]"):
        scan(cell, x, None, (torch.zeros(N, 2).double(),))


@pytest.mark.parametrize("shape", [(2, 5, 4), (5, 3)])
def test_trees_whose_inputs_have_a_wrong_shape_are_refused(cell: Odd, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(N, T, input_size=3\)"):
        fold(cell, torch.ones(shape).double(), torch.full((2, 5), -2))


@final
class Fast(Cell):
    """Adds up what it reads, all at once, and keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1,)
        self.calls: list[tuple[Tensor, Tensor | None, State]] = []

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return state[0] + z, (state[0] + z,)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        self.calls.append((x, lengths, state))
        y = x.cumsum(1) + 1000 + state[0].unsqueeze(1)  # 1000: so that it is known from the loop
        return y, (y[:, -1],)


@final
class Counted(Cell):
    """Counts how often its step is called."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        next(CALLS)
        return state[0] + z, (state[0] + z,)


CALLS = count()  # of which the engine does not see that it changes, so that the cell may have a plan


@pytest.mark.parametrize(("lengths", "calls"), [([3, 1], 3), ([4, 1], 0)], ids=["few", "more"])
def test_few_steps_are_taken_one_by_one_and_more_by_a_plan(lengths: list[int], calls: int) -> None:
    cell, x = Counted(), torch.ones(2, max(lengths), 1)
    scan(cell, x, torch.tensor(lengths))
    before = next(CALLS)
    y, (last,) = scan(cell, x, torch.tensor(lengths))
    assert next(CALLS) == before + 1 + calls
    assert last.flatten().tolist() == lengths
    assert y.sum(1).flatten().tolist() == [n * (n + 1) / 2 for n in lengths]


def test_a_step_of_its_own_and_dropout_are_not_the_fast_ways() -> None:
    x = torch.ones(1, 5, 1)
    own, dropping = Fast(), Fast()
    own.step = Counted().step  # type: ignore[method-assign]
    dropping.recurrent_dropout = 0.5
    assert scan(own, x)[0].flatten().tolist() == scan(dropping, x)[0].flatten().tolist() == [1, 2, 3, 4, 5]
    assert (own.calls, dropping.calls) == ([], [])
    scan(dropping.eval(), x)
    assert len(dropping.calls) == 1


THEIRS = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler's


def clipped(kind: type[Cell]) -> Cell:
    """A cell of torch's whose state is kept small."""

    class Clipped(kind):  # type: ignore[valid-type, misc]
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, state = super().step(z, state)
            return y.clamp(-0.01, 0.01), tuple(tensor.clamp(-0.01, 0.01) for tensor in state)

    return Clipped(3, hidden_size=4)


def doubled(kind: type[Cell]) -> Cell:
    """One that reads its input twice as large."""

    class Doubled(kind):  # type: ignore[valid-type, misc]
        def project(self, x: Tensor) -> Tensor:
            return super().project(2 * x)

    return Doubled(3, hidden_size=4)


@pytest.mark.parametrize("changed", [clipped, doubled])
@pytest.mark.parametrize("kind", [LSTM, GRU, Elman])
def test_a_class_that_changes_the_equations_is_not_read_by_the_kernel_of_those_that_it_changes(
    kind: type[Cell], changed: Callable[[type[Cell]], Cell]
) -> None:
    cell, x = changed(kind), torch.randn(2, 9, 3)
    state = cell.initial_state(2, x)
    torch.testing.assert_close(scan(cell, x), loop(cell, x, None, state))


def test_a_class_that_changes_nothing_of_them_is() -> None:
    class Named(LSTM):  # type: ignore[misc]
        def extra_repr(self) -> str:
            return "named"

    assert is_unrolled_by_its_class(Named(3, hidden_size=4))


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_tensors_without_numbers_are_read(kind: type[Cell]) -> None:
    y, state = scan(kind(3).to("meta"), torch.empty(2, 9, 3, device="meta"))
    assert (y.shape, {tensor.device.type for tensor in (y, *state)}) == ((2, 9, 256), {"meta"})


@THEIRS
def test_a_compiled_net_goes_round_the_steps() -> None:
    """Of whatever length they are; a graph of them would be made anew for each."""
    net, seen = nn.Sequential(nn.Linear(3, 3), Layer(GRU(3, hidden_size=4))), list[str]()

    def backend(graph: fx.GraphModule, _: Any) -> Callable[..., Any]:
        seen.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    compiled = torch.compile(net, backend=backend)
    for steps in (5, 6, 7, 8):
        x = torch.randn(2, steps, 3)
        torch.testing.assert_close(compiled(x), net(x))
    assert len(seen) <= 4, seen


def test_so_does_a_cell_that_was_compiled_itself() -> None:
    cell, x = GRU(3, hidden_size=4), torch.randn(2, 6, 3)
    torch.testing.assert_close(scan(torch.compile(cell, backend="eager"), x), scan(cell, x))  # type: ignore[arg-type]


@THEIRS
def test_a_graph_that_is_to_be_whole_is_told_what_to_do() -> None:
    whole = torch.compile(Layer(GRU(3, hidden_size=4)), backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="rnnx goes along steps by itself: compile without fullgraph=True"):
        whole(torch.randn(2, 6, 3))


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int32])
def test_lengths_of_few_bits_are_as_good(dtype: torch.dtype, recompute: bool) -> None:
    cell, x = GRU(3, hidden_size=4), torch.randn(2, 300, 3)
    lengths = torch.tensor([100, 2])
    wanted = loop(cell, x, lengths, cell.initial_state(2, x))
    torch.testing.assert_close(scan(cell, x, lengths.to(dtype), recompute=recompute), wanted)


@THEIRS
def test_so_does_one_that_reads_trees() -> None:
    cell, parents = TreeLSTM(3, hidden_size=4), torch.tensor([[1, 2, 3, 4, -1]])

    def read(x: Tensor) -> Tensor:
        return fold(cell, x.tanh(), parents)[0].sum()

    x = torch.randn(1, 5, 3)
    torch.testing.assert_close(torch.compile(read, backend="eager")(x), read(x))


def test_scan_takes_the_fast_way_where_there_is_one() -> None:
    cell, x = Fast(), torch.tensor([[[1.0], [2.0], [4.0]]])
    y, (last,) = scan(cell, x, torch.tensor([3]), (torch.tensor([[10.0]]),), reverse=True)
    assert y.flatten().tolist() == [1017, 1016, 1014]
    assert last.tolist() == [[1017]]
    ((given, lengths, state),) = cell.calls
    assert given.flatten().tolist() == [4, 2, 1]
    assert lengths is None
    assert state[0].tolist() == [[10]]


def test_the_fast_way_is_told_the_lengths_where_they_differ() -> None:
    cell = Fast()
    scan(cell, torch.ones(2, 3, 1), torch.tensor([1, 3]))
    assert cell.calls[0][1] is not None
    assert cell.calls[0][1].tolist() == [1, 3]


@pytest.mark.parametrize(("steps", "lengths"), [(3, [0, 3]), (0, [0, 0]), (0, None)])
def test_the_fast_way_is_never_given_an_empty_row(steps: int, lengths: list[int] | None) -> None:
    cell = Fast()
    y, _ = scan(cell, torch.ones(2, steps, 1), None if lengths is None else torch.tensor(lengths))
    assert cell.calls == []
    assert y.flatten().tolist() == ([0, 0, 0, 1, 2, 3] if steps else [])


@given(st.lists(st.lists(st.integers(0, 99), max_size=6), min_size=1, max_size=5), st.integers(0, 2))
def test_flip_turns_each_row_and_leaves_its_padding(rows: list[list[int]], extra: int) -> None:
    steps = max(map(len, rows)) + extra
    padded = [row + [-1 - t for t in range(steps - len(row))] for row in rows]
    x = torch.tensor(padded).reshape(len(rows), steps, 1).expand(-1, -1, 2)
    lengths = torch.tensor([len(row) for row in rows])
    expected = [row[::-1] + tail[len(row) :] for row, tail in zip(rows, padded, strict=True)]
    flipped = flip(x, lengths)
    assert flipped[..., 0].tolist() == expected
    assert torch.equal(flipped[..., 0], flipped[..., 1])
    assert torch.equal(flip(flipped, lengths), x)


def test_flip_without_lengths_turns_everything() -> None:
    assert flip(torch.arange(6).reshape(2, 3, 1), None).flatten().tolist() == [2, 1, 0, 5, 4, 3]


# Trees


def test_a_row_without_a_step_keeps_its_state_in_its_own_type() -> None:
    cell, x, state = Elman(3, hidden_size=4), torch.randn(2, 5, 3), (torch.randn(2, 4),)
    with torch.autocast("cpu", torch.bfloat16):
        _, (last,) = scan(cell, x, torch.tensor([5, 0]), state)
    assert torch.equal(last[1], state[0][1])


@final
class Window(Cell):
    """Remembers what it read last, and nothing of what was before."""

    input_size, output_size, state_sizes = 1, 1, (1,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return z.clone(), (z.clone(),)


def test_a_row_without_a_step_hands_its_gradient_on() -> None:
    state = torch.zeros(2, 1, requires_grad=True)
    _, (last,) = scan(Window(), torch.randn(2, 5, 1), torch.tensor([5, 0]), (state,))
    last.sum().backward()
    assert state.grad is not None
    assert state.grad.flatten().tolist() == [0.0, 1.0]


def test_trees_of_different_shapes_added_up_by_hand() -> None:
    parents = [
        [-1, 0, 0, 1, 1],  # 1 over (2 over 8, 16), 4
        [1, 2, 3, 4, -1],  # a chain, its root last
        [3, 3, 3, -1, -2],  # 8 over 1, 2, 4; padding
        [-1, -2, -2, -2, -2],
    ]
    x = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0]] * 4).unsqueeze(-1)
    y, (root,) = fold(Sum(), x, torch.tensor(parents))
    assert y[..., 0].tolist() == [
        [31, 26, 4, 8, 16],
        [1, 3, 7, 15, 31],
        [1, 2, 4, 15, 0],
        [1, 0, 0, 0, 0],
    ]
    assert root.flatten().tolist() == [31, 31, 15, 1]


def test_children_come_in_the_order_of_their_numbers() -> None:
    x = torch.tensor([[[100.0], [1.0], [10.0], [1000.0]], [[1.0], [10.0], [100.0], [1000.0]]])
    parents = torch.tensor([[2, 2, -1, 2], [3, 3, 3, -1]])
    y, _ = fold(Ordered(), x, parents)
    assert y[0, 2].item() == 10 + 1 * 100 + 2 * 1 + 3 * 1000
    assert y[1, 3].item() == 1000 + 1 * 1 + 2 * 10 + 3 * 100


def test_a_node_knows_how_many_children_it_has() -> None:
    parents = torch.tensor([[-1, 0, 0, 0, 1], [1, 2, -1, -2, -2]])
    y, _ = fold(Counting(), torch.zeros(2, 5, 1), parents)
    assert y[..., 0].tolist() == [[3, 1, 0, 0, 0], [0, 1, 1, 0, 0]]


@st.composite
def forest(draw: st.DrawFn) -> list[list[int]]:
    """A few trees of 1 to 7 nodes numbered in any order, as rows of parents."""
    rows = []
    for size in draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)):
        numbers = draw(st.permutations(range(size)))
        above = [draw(st.integers(0, i - 1)) for i in range(1, size)]
        row = [-2] * 8
        row[numbers[0]] = -1
        for i, j in enumerate(above, start=1):
            row[numbers[i]] = numbers[j]
        rows.append(row)
    return rows


def ordered_by_hand(values: list[float], parents: list[int], node: int) -> float:
    children = [child for child, parent in enumerate(parents) if parent == node]
    return values[node] + sum(
        k * ordered_by_hand(values, parents, c) for k, c in enumerate(children, start=1)
    )


@given(forest())
@settings(max_examples=50, deadline=None)
def test_any_forest_is_its_trees_by_recursion(rows: list[list[int]]) -> None:
    values = [[float(3 * n + t + 1) for t in range(8)] for n in range(len(rows))]
    y, (root,) = fold(Ordered(), torch.tensor(values).double().unsqueeze(-1), torch.tensor(rows))
    for n, parents in enumerate(rows):
        nodes = [0.0 if p == -2 else ordered_by_hand(values[n], parents, t) for t, p in enumerate(parents)]
        assert y[n, :, 0].tolist() == nodes
        assert root[n].item() == nodes[parents.index(-1)]


@pytest.mark.parametrize("lengths", [[5, 5, 5, 5], [2, 5, 1, 3]])
def test_a_chain_is_a_sequence(x: Tensor, lengths: list[int], reverse: bool) -> None:
    torch.manual_seed(0)
    cell = Zero().double()
    parents = torch.tensor([[-1] * (n > 0) + list(range(n - 1)) + [-2] * (T - n) for n in lengths])
    if not reverse:  # the root is the last step
        parents = torch.tensor([list(range(1, n)) + [-1] + [-2] * (T - n) for n in lengths])
    y, root = fold(cell, x, parents)
    expected_y, last = scan(cell, x, torch.tensor(lengths), reverse=reverse)
    torch.testing.assert_close((y, *root), (expected_y, *last), rtol=0, atol=1e-13)
    of = [x, *cell.parameters()]
    actual, expected = gradients((y, *root), of), gradients((expected_y, *last), of)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@final
class Zero(Cell):
    """A cell with a projection and two state tensors, which start at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = I, 4, (2, 4)
        self.input, self.past = nn.Linear(I, 6), nn.Linear(6, 6)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        a, b = torch.tanh(z + self.past(torch.cat(state, -1))).split((2, 4), -1)
        return b, (a, b)


def test_a_trees_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    cell = Zero().double()

    def read(x: Tensor) -> tuple[Tensor, ...]:
        y, root = fold(cell, x, torch.tensor([[2, 2, -1, 2], [-1, 0, -2, -2]]))
        return y, *root

    x = torch.randn(2, 4, I, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(read, (x,))
    assert torch.autograd.gradgradcheck(read, (x,))


@pytest.mark.parametrize("junk", [1e30, torch.nan, torch.inf])
def test_a_trees_padding_changes_nothing_and_gets_no_gradient(junk: float) -> None:
    torch.manual_seed(0)
    cell = Zero().double()
    parents = torch.tensor([[-2, 2, -1, 2], [-1, 0, 1, -2]])
    padding = parents == -2
    x = torch.randn(2, 4, I, dtype=torch.double, requires_grad=True)
    dirty = x.detach().masked_fill(padding.unsqueeze(-1), junk).requires_grad_()
    y, root = fold(cell, dirty, parents)
    clean_y, clean_root = fold(cell, x, parents)
    torch.testing.assert_close((y, *root), (clean_y, *clean_root), rtol=0, atol=0)
    assert y[padding].eq(0).all()
    to_x, *to_weights = gradients((y, *root), [dirty, *cell.parameters()])
    assert to_x[padding].eq(0).all()
    torch.testing.assert_close(
        to_weights, gradients((clean_y, *clean_root), list(cell.parameters())), rtol=0, atol=0
    )


def test_a_tree_knows_nothing_of_its_neighbours() -> None:
    x = torch.tensor([[[torch.nan], [1.0], [2.0]], [[1.0], [2.0], [4.0]]])
    y, (root,) = fold(Sum(), x, torch.tensor([[1, -1, 1], [2, 2, -1]]))
    assert y[1, :, 0].tolist() == [1, 2, 7]
    assert root[1].item() == 7


def test_trees_can_be_none() -> None:
    y, root = fold(Zero(), torch.zeros(0, 3, I), torch.zeros(0, 3, dtype=torch.long))
    assert y.shape == (0, 3, 4)
    assert [tuple(tensor.shape) for tensor in root] == [(0, 2), (0, 4)]


@pytest.mark.parametrize(
    "parents", [[-1, -1, 0], [-2, -2, -2], [1, 2, 1]], ids=["two", "none", "none but a ring"]
)
def test_a_tree_without_just_one_root_is_refused(parents: list[int]) -> None:
    with pytest.raises(ValueError, match="exactly one root"):
        fold(Sum(), torch.ones(2, 3, 1), torch.tensor([[-1, 0, 0], parents]))


@pytest.mark.parametrize("parents", [[-1, 2, 1], [-1, 1, 0], [-1, 2, 3, 1]], ids=["two", "itself", "three"])
def test_a_ring_is_refused(parents: list[int]) -> None:
    with pytest.raises(ValueError, match="ring"):
        fold(Sum(), torch.ones(1, len(parents), 1), torch.tensor([parents]))


# Steps made once more


def kept_bytes(read: Callable[[], tuple[Tensor, State]]) -> int:
    """What is held for the backward pass, storage by storage, inputs and outputs among it."""
    held: dict[int, tuple[Tensor, int]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = tensor, storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        read()
    return sum(size for _, size in held.values())


@pytest.mark.parametrize("least", [1, 4, 5])
@pytest.mark.parametrize("lengths", [None, [13, 0, 4, 9], [3, 5, 1, 2]])
def test_without_gradients_few_steps_are_projected_together(
    cell: Odd, lengths: list[int] | None, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the state carried from piece to piece, past rows that have ended."""
    monkeypatch.setattr(engine, "PIECE", 1)
    monkeypatch.setattr(engine, "STEPS_OF_PIECE", least)
    projected: list[int] = []
    project, note = Odd.project, projected.append
    monkeypatch.setattr(Odd, "project", lambda self, x: note(len(x)) or project(self, x))
    x, state = torch.randn(N, 13, I).double(), (torch.randn(N, 2).double(), torch.randn(N, 5).double())
    given = None if lengths is None else torch.tensor(lengths)
    with torch.no_grad():
        scan(cell, x, given, state)  # for which a plan may be made
        projected.clear()
        y, last = scan(cell, x, given, state)
    assert sum(projected) == (4 * 13 if lengths is None else sum(lengths))
    assert max(projected) <= least * N
    torch.testing.assert_close((y, *last), by_hand(cell, x, given, state, False), rtol=0, atol=1e-13)


def test_recomputed_it_is_the_same(cell: Odd, x: Tensor, lengths: Tensor | None, reverse: bool) -> None:
    state = tuple(torch.randn(N, s, dtype=torch.double, requires_grad=True) for s in (2, 5))
    plain = scan(cell, x, lengths, state, reverse)
    again = scan(cell, x, lengths, state, reverse, recompute=True)
    torch.testing.assert_close((again[0], *again[1]), (plain[0], *plain[1]), rtol=0, atol=1e-13)
    of = [x, *state, *cell.parameters()]
    found, wanted = (gradients((y, *last), of) for y, last in (again, plain))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_recomputed_what_is_padding_alone_leaves_the_outputs_type(cell: Odd) -> None:
    x, lengths = torch.randn(2, 9, I), torch.tensor([2, 1])
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = scan(cell.float(), x, lengths, recompute=True)
    assert y.dtype == torch.bfloat16
    assert y.shape[1] == 9
    assert not y[:, 2:].any()


def test_recomputed_nothing_is_held_of_the_steps(cell: Odd) -> None:
    x = torch.randn(2, 400, I, dtype=torch.double)
    inputs = x.untyped_storage().nbytes()
    assert kept_bytes(lambda: scan(cell, x, recompute=True)) <= inputs
    assert kept_bytes(lambda: scan(cell, x)) > 5 * inputs


def test_recomputed_steps_read_the_weights_and_the_draws_that_they_read_before(x: Tensor) -> None:
    class Dropping(Odd):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, state = super().step(z, state)
            return torch.dropout(y, 0.5, self.training), state

    cell = Dropping().double()
    weight = (2 * cell.first.weight.detach()).requires_grad_()
    results = []
    for recompute in (False, True):
        torch.manual_seed(3)
        read = partial(scan, cell, x, recompute=recompute)
        y, last = with_tensors(cell, {"first.weight": weight}, read)
        results.append([y, *last, *gradients((y, *last), [weight, x])])
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)
    assert cell.first.weight.grad is None


def test_recomputed_nothing_to_read(cell: Odd) -> None:
    y, last = scan(cell, torch.zeros(2, 0, I, dtype=torch.double), recompute=True)
    assert y.shape == (2, 0, 4)
    torch.testing.assert_close(last, cell.initial_state(2, y))
