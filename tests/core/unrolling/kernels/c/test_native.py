from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling import plans
from rnnx.core.unrolling.kernels.c.native import NUMBERS, Native, looped, pays
from rnnx.core.unrolling.kernels.c.products import in_panels
from rnnx.core.unrolling.kernels.c.sharing import BLOCK, SHARE
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.time_loop import Forwards
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations
from tests.core.unrolling.drawn import Drawn
from tests.core.unrolling.kernels.cells import CELLS, Gated, given_to, results, sizes
from tests.core.unrolling.kernels.in_c import ALL, in_c
from tests.core.unrolling.kernels.nodes import Nodes
from tests.core.unrolling.zoo import DRAWING, ZOO
from tests.threads import threads

ROOT = Path(__file__).parents[5]
MANY = [
    3 * BLOCK + 5,
    3 * BLOCK + 5,
    2 * BLOCK,
    BLOCK + 1,
    SHARE,
    1,
]  # blocks that end all at once, or never do

# rows 1 4 6 8, 2 5 7, 3, and one that never runs
SIZES = [3, 2, 2, 1]
DIGITS = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]])
GIVEN = torch.tensor([[0.0], [0.0], [0.0], [9.0]])


def appending(reverse: bool) -> Native:
    """Appends a row's digit to the state, and writes down what was there before."""
    nodes = Nodes()
    row, state, factor = nodes.rows("row", 1), nodes.rows("state", 1), nodes.constant("factor")
    unread = nodes.constant("unread", 2, dtype=torch.float64)
    new = nodes.call(ATEN.add.Tensor, nodes.call(ATEN.mul.Tensor, state, factor, width=1), row, width=1)
    return Native(Roles([row], [state], [factor], [new], [state]), [unread, factor], reverse)


@pytest.mark.parametrize("apart", [1, 3])
@pytest.mark.parametrize(
    ("reverse", "ends", "before"),
    [
        (False, [1468.0, 257.0, 3.0, 9.0], [0.0, 0.0, 0.0, 1.0, 2.0, 14.0, 25.0, 146.0]),
        (True, [8641.0, 752.0, 3.0, 9.0], [864.0, 75.0, 0.0, 86.0, 7.0, 8.0, 0.0, 0.0]),
    ],
    ids=["forth", "back"],
)
def test_each_row_goes_from_one_end_to_the_other(
    reverse: bool, ends: list[float], before: list[float], apart: int
) -> None:
    walk, room, given = appending(reverse), torch.empty(8, 1), GIVEN.clone()
    constants = walk.prepared([torch.empty(2, dtype=torch.float64), torch.tensor(10.0)])
    (last,) = walk(SIZES, [DIGITS.repeat(1, apart)[:, :1]], [given], constants, [room])
    assert last.flatten().tolist() == ends
    assert room.flatten().tolist() == before
    assert torch.equal(given, GIVEN)


THREADS = """
from pathlib import Path
import torch
from rnnx.core.unrolling.kernels.c.sharing import SHARE
from tests.core.unrolling.kernels.c.test_native import appending

torch.set_num_threads(5)
walk, rows = appending(reverse=False), 5 * SHARE
constants = walk.prepared([torch.empty(2, dtype=torch.float64), torch.tensor(10.0)])
z, state, room = torch.ones(rows, 1), torch.zeros(rows, 1), torch.empty(rows, 1)
before = len(list(Path("/proc/self/task").iterdir()))
walk([rows], [z], [state], constants, [room])
print(len(list(Path("/proc/self/task").iterdir())) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's threads are files on Linux alone")
def test_all_of_torchs_threads_take_part() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "4", done.stderr


@pytest.mark.parametrize("reverse", [False, True])
def test_without_a_state_all_is_filled_and_none_stands_for_zeros(reverse: bool) -> None:
    nodes = Nodes()
    row, state = nodes.rows("row", 2), nodes.rows("state", 1)
    twice, wide = nodes.call(ATEN.mul.Scalar, row, 2, width=2), DIGITS.repeat(1, 2)
    room = torch.empty(8, 2)
    assert Native(Roles([row], [], [], [], [twice]), [], reverse)(SIZES, [wide], [], [], [room]) == []
    assert torch.equal(room, 2 * wide)
    (last,) = Native(Roles([row], [state], [], [None], [twice]), [], reverse)(
        SIZES, [wide], [GIVEN], [], [room]
    )
    assert last.flatten().tolist() == [0.0, 0.0, 0.0, 9.0]


@pytest.mark.parametrize("reverse", [False, True])
def test_constants_and_rows_may_lie_in_memory_another_way(reverse: bool) -> None:
    nodes = Nodes()
    row, factor, u = nodes.rows("row", 3), nodes.constant("factor", 3), nodes.constant("u", 3, 2)
    product = nodes.call(ATEN.mm.default, nodes.call(ATEN.mul.Tensor, row, factor, width=3), u, width=2)
    walk = Native(Roles([row], [], [u, factor], [], [product]), [factor, u], reverse)
    rows, factors, matrix = torch.randn(3, 8).t(), torch.randn(6)[::2], torch.randn(2, 3).t()
    room = torch.empty(8, 2)
    walk(SIZES, [rows], [], walk.prepared([factors, matrix]), [room])
    torch.testing.assert_close(room, (rows * factors) @ matrix)


def as_the_steps(plan: Plan, cell: Cell, sizes: list[int], waiting: int = 0) -> None:
    """By its plan a cell gives what its steps give, gradients too."""
    z, state = given_to(cell, sizes, waiting)
    outcomes = []
    for way in (partial(unrolled, plan, cell), partial(step_by_step, cell.step)):
        torch.manual_seed(1)
        outcomes.append(results(way(z, sizes, state), cell, z, state))
    for found, wanted in zip(*outcomes, strict=True):
        atol = 1e-5 * max([1.0, *wanted.detach().float().abs().flatten().tolist()])
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=atol, equal_nan=True)


def plan_of(cell: Cell) -> Plan:
    return taken_apart(cell, *given_to(cell, [2], 0), kernels=Kernels.C)


@pytest.mark.parametrize("name", CELLS)
def test_it_gives_what_the_steps_give(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name]()
    plan = plan_of(cell)
    assert in_c(plan) == [ALL, ALL]

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(sizes(), st.integers(0, 2))
    def check(sizes: list[int], waiting: int) -> None:
        as_the_steps(plan, cell, sizes, waiting)

    check()


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("name", CELLS)
def test_blocks_of_rows_go_along_the_steps_alone_whoever_takes_them(name: str, count: int) -> None:
    torch.manual_seed(0)
    cell = CELLS[name]()
    plan = plan_of(cell)
    with threads(count):
        as_the_steps(plan, cell, MANY, waiting=2)


def test_a_rows_numbers_depend_neither_on_the_threads_nor_on_the_others() -> None:
    """Bit by bit."""
    torch.manual_seed(0)
    cell = Gated(70)
    plan = plan_of(cell)
    z, state = given_to(cell, MANY, 0)
    with threads(1):
        y, last = unrolled(plan, cell, z, MANY, state)
        first, _ = unrolled(plan, cell, z[:1], [1], tuple(tensor[:1] for tensor in state))
    with threads(3):
        again, last_again = unrolled(plan, cell, z, MANY, state)
    assert torch.equal(y, again)
    assert torch.equal(last[0], last_again[0])
    assert torch.equal(first[0], y[0])


def signed(tensor: Tensor) -> Tensor:
    """The same numbers, whose sign is not in memory."""
    return torch._neg_view(-tensor.detach())


@final
class Signed(torch.autograd.Function):
    """What it is given; and so is its gradient, whose sign is not in memory."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        return tensor.clone()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return signed(gradients[0])


@pytest.mark.parametrize("what", ["input", "state", "parameters", "gradients"])
@pytest.mark.parametrize("learns", [True, False])
def test_numbers_whose_sign_is_not_in_memory_are_read_with_it(what: str, learns: bool) -> None:
    """As torch shows the imaginary part of a conjugate."""
    torch.manual_seed(0)
    cell = Gated(4)
    plan = plan_of(cell)
    z, state = given_to(cell, [2, 2, 1], 0)
    z = signed(z).requires_grad_() if what == "input" else z
    state = tuple(signed(tensor).requires_grad_() for tensor in state) if what == "state" else state
    for parameter in cell.parameters():
        parameter.data = signed(parameter) if what == "parameters" else parameter.data
    outcomes = []
    for way in (partial(unrolled, plan, cell), partial(step_by_step, cell.step)):
        if learns:
            y, last = way(z, [2, 2, 1], state)
            if what == "gradients":
                y, last = Signed.apply(y), tuple(map(Signed.apply, last))  # type: ignore[no-untyped-call]
            outcomes.append(results((y, last), cell, z, state))
        else:
            with torch.no_grad():
                y, last = way(z, [2, 2, 1], state)
            outcomes.append([y, *last])
    for found, wanted in zip(*outcomes, strict=True):
        assert not found.is_neg()
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ZOO, ids=lambda kind: kind.__name__)
def test_steps_of_any_kind_give_what_they_give(kind: type[Cell]) -> None:
    torch.manual_seed(0)
    cell = kind()
    as_the_steps(plan_of(cell), cell, [4, 4, 3, 1])


@pytest.mark.parametrize("seed", range(24))
def test_steps_drawn_at_random_are_as_exact_as_torchs(seed: int) -> None:
    """Next to the steps in 64 bits; rows of two numbers that are normalised are far off in 32."""
    cell = Drawn(seed)
    z, state = given_to(cell, [70, 66, 3, 1], 1)
    with threads(1 + seed % 2):
        found = results(unrolled(plan_of(cell), cell, z, [70, 66, 3, 1], state), cell, z, state)
    steps = results(step_by_step(cell.step, z, [70, 66, 3, 1], state), cell, z, state)
    cell = cell.double()
    z, *state = (tensor.detach().double().requires_grad_() for tensor in (z, *state))
    exact = results(step_by_step(cell.step, z, [70, 66, 3, 1], tuple(state)), cell, z, tuple(state))
    for one, other, wanted in zip(found, steps, exact, strict=True):
        off, torchs = ((some - wanted).abs().max().item() for some in (one, other))
        assert off <= 3 * torchs + 1e-5 * max(1, wanted.abs().max().item())


@final
class Logarithms(Cell):
    """Adds up what it reads, and that once more, in logarithms."""

    input_size, output_size, state_sizes = 4, 4, (4, 4)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        total, last = state
        total = torch.logaddexp(total, last)
        return total.exp(), (total, last + z)


def test_logarithms_of_nothing_add_up_to_one_of_nothing() -> None:
    """From a state that the plan was not compared with."""
    x, nothing = torch.randn(3, 5, 4), torch.full((3, 4), -torch.inf)
    with torch.no_grad():
        y, last = scan(Logarithms(), x, None, (nothing, nothing))
    assert y.eq(0).all()
    assert all(tensor.eq(-torch.inf).all() for tensor in last)


@final
class ByItsInput(Cell):
    """Gates that see the input alone, one made of a product of another; an output that is a product."""

    input_size, output_size, state_sizes = 4, 4, (4,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.gate, self.output = (nn.Linear(4, 4) for _ in range(3))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        candidate = torch.tanh(self.input(z))
        f = torch.sigmoid(self.gate(candidate))
        c = candidate + f * (state[0] - candidate)
        return self.output(torch.tanh(c)), (c,)


def test_what_is_elementwise_is_done_in_the_steps_and_products_of_all_rows_at_once() -> None:
    """Torch makes what leads to the gate's product, what comes from its gradient, and no more."""
    torch.manual_seed(0)
    cell = ByItsInput()
    plan = plan_of(cell)
    for steps in (3, 9):
        z, state = given_to(cell, [4] * steps, 0)
        with Operations() as forth:
            y, last = unrolled(plan, cell, z, [4] * steps, state)
        ends = [y, *last]
        with Operations() as back:
            torch.autograd.grad(ends, [z, *state, *cell.parameters()], [torch.ones_like(end) for end in ends])
        assert (forth.products(), back.products()) == (3, 6)
        done = {
            operation for operation in forth.counts | back.counts if torch.Tag.pointwise in operation.tags
        }
        assert done == {ATEN.tanh.default, ATEN.tanh_backward.default}
    as_the_steps(plan, cell, [4, 4, 3, 1])


@final
class Highway(Cell):
    """Its gates, its candidate and its output come elementwise from the input and the memory."""

    input_size, output_size, state_sizes = 12, 4, (4,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (c,) = state
        candidate, f, o = z.chunk(3, -1)
        f, o = torch.sigmoid(f + c), torch.sigmoid(o * c)
        c = c + f * (torch.tanh(candidate) - c)
        return o * torch.tanh(c), (c,)


def test_what_is_elementwise_is_made_again_in_the_backward_pass_and_not_kept() -> None:
    """Of a step there are kept its memory, and its output, as that is asked for."""
    torch.manual_seed(0)
    cell = Highway()
    z, state = given_to(cell, [4, 4, 3, 1], 0)
    plan = taken_apart(cell, z, state, Kernels.C)
    assert [form.shape for form in plan.forward.kept] == [(4,), (4,)]
    as_the_steps(plan, cell, [4, 4, 3, 1])


@pytest.mark.parametrize("name", DRAWING)
def test_random_numbers_are_drawn_in_their_order_and_products_are_in_c(name: str) -> None:
    torch.manual_seed(0)
    cell = DRAWING[name]()
    plan = plan_of(cell)
    as_the_steps(plan, cell, [4, 4, 3, 1])
    assert in_c(plan)[0] != ALL
    assert isinstance(plan.forward.steps, Forwards)
    calls = [node.target for node in plan.forward.steps.part.__self__.graph.nodes]
    assert not {torch.mm, torch.addmm} & set(calls)


def test_a_function_of_one_step_shares_its_rows_where_they_are_many() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", 64), nodes.constant("u", 64, 40)
    product = nodes.call(ATEN.mm.default, nodes.call(ATEN.tanh.default, x, width=64), u, width=40)
    function = looped([x], [u], [], [product])
    for count in (0, NUMBERS // 64, NUMBERS // 64 + 1):
        rows, matrix = torch.randn(count, 64), torch.randn(64, 40)
        with threads(3):
            (found,) = function(rows, in_panels(matrix))
        torch.testing.assert_close(found, rows.tanh() @ matrix, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_written_is_told() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 3)
    drawn = nodes.call(ATEN.bernoulli.default, x, width=3)
    with pytest.raises(UnwritableError, match=r"calls aten\.bernoulli"):
        Native(Roles([x], [], [], [], [drawn]), [], reverse=False)


def outcome(way: object, cell: Cell, x: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """The outputs, the last state, and the gradients of all that learns."""
    assert callable(way)
    y, last = way(cell, x, lengths, cell.initial_state(len(x), x))
    generator, ends = torch.Generator().manual_seed(3), (y, *last)
    at = [torch.randn(end.shape, generator=generator).to(end) for end in ends]
    return [*ends, *torch.autograd.grad(ends, [x, *cell.parameters()], at)]


def worst(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """The largest difference, next to the largest number of its tensor."""
    pairs = [(one.detach().double(), other.detach()) for one, other in zip(found, wanted, strict=True)]
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


@pytest.mark.parametrize("lengths", [None, [90, 80, 7, 33, 90, 90, 60, 1]], ids=["equal", "variable"])
def test_a_scan_of_a_large_cell_gives_what_the_loop_gives_with_more_bits(lengths: list[int] | None) -> None:
    torch.manual_seed(0)
    cell = Gated(300)
    x = torch.randn(8, 90, cell.input_size, requires_grad=True)
    many = None if lengths is None else torch.tensor(lengths)
    found = outcome(scan, cell, x, many)
    exact = outcome(loop, cell.double(), x.detach().double().requires_grad_(), many)
    assert worst(found, exact) < 1e-5


def test_in_inference_mode_as_without() -> None:
    cell = Gated(30)
    x = torch.randn(8, 20, cell.input_size)
    with torch.no_grad():
        wanted, _ = loop(cell, x, None, cell.initial_state(8, x))
    with torch.inference_mode():
        found, _ = scan(cell, x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_pays_in_32_bits_where_nobody_looks_on() -> None:
    assert pays(torch.float32, 1)
    assert not pays(torch.float64, 1)
    assert not pays(torch.bfloat16, 1)
    with threads(3):
        assert pays(torch.float32, NUMBERS + 1)
    with Operations():
        assert not pays(torch.float32, 1)


class Leaky(Cell, ABC):
    """By elements; each test makes a class of its own of it, as what is found is kept by class."""

    input_size, output_size, state_sizes = 4, 4, (4,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.lerp(state[0], torch.tanh(z), torch.sigmoid(z * state[0]))
        return h, (h,)


def c_for(cell: Cell, rows: int = 1, dtype: torch.dtype = torch.float32) -> list[int | str]:
    z, h = (torch.zeros(rows, 4, dtype=dtype, requires_grad=True) for _ in range(2))
    return in_c(plans.plan_of(cell, z, (h,)))


def test_steps_of_32_bits_have_them_and_of_64_bits_none() -> None:
    class Quick(Leaky):
        pass

    assert c_for(Quick()) == [ALL, ALL]
    assert c_for(Quick(), dtype=torch.float64) == [0, 0]


def test_an_output_of_more_bits_is_as_exact_as_what_it_is_made_of() -> None:
    """Warnings are errors here, and one would say that the functions in C give other numbers."""

    class Widened(Leaky):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, last = super().step(z, state)
            return y.double(), last

    cell, x = Widened(), torch.randn(2, 20, 4)
    y, _ = scan(cell, x)
    assert y.dtype == torch.float64
    torch.testing.assert_close(y, loop(cell, x, None, (torch.zeros(2, 4),))[0], rtol=1e-4, atol=1e-5)


def test_what_is_told_of_each_operation_is_told_of_all() -> None:
    class Counted(Leaky):
        pass

    with Operations() as counted:
        y, _ = scan(Counted(), torch.randn(2, 5, 4, requires_grad=True))
        y.sum().backward()
    assert counted.counts[ATEN.tanh.default] > 0
    assert c_for(Counted()) == [ALL, ALL]


SCRIPT = """
import warnings
import torch
from rnnx.core.engine import loop, scan
from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.kernels.in_c import in_c

cell, x = PeepholeLSTM(3, hidden_size=4), torch.randn(2, 5, 3)
state = cell.initial_state(2, x)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(2):
        torch.testing.assert_close(scan(cell, x, None, state), loop(cell, x, None, state))
print(in_c(plan_of(cell, cell.project(x)[:, 0], state)), *(str(one.message) for one in said))
"""


@pytest.mark.parametrize(
    ("cc", "said"),
    [
        (
            "false",
            "[0, 0] cell PeepholeLSTM is run without functions in C, which is slower: its step cannot be "
            "compiled (/bin/false ends with 1: )",
        ),
        ("", "[0, 0]"),
        (None, "['all', 'all']"),
    ],
    ids=["that fails", "that is none", "that works"],
)
def test_with_a_compiler(cc: str | None, said: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CC"}
    environment |= {} if cc is None else {"CC": cc}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.replace("/usr/bin/false", "/bin/false").strip() == said, done.stderr


def test_of_a_step_that_has_no_plan_one_thing_is_said() -> None:
    class Reading(Leaky):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, (h,) = super().step(z, state)
            return y, (h * float(h.sum()),)

    with pytest.warns(plans.StepByStepWarning) as said:
        scan(Reading(), torch.randn(2, 5, 4))
    assert len(said) == 1
