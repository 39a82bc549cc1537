from __future__ import annotations

import math
import os
import subprocess
import sys
from abc import ABC
from collections.abc import Callable, Sequence
from functools import partial
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx

from rnnx.core.cell import Cell
from rnnx.core.engine import scan
from rnnx.core.state import State
from rnnx.core.unrolling import plans
from rnnx.core.unrolling.kernels.layout import UnwritableError
from rnnx.core.unrolling.kernels.loops import NUMBERS, STACK, looped
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.plan import Kernels, Plan, taken_apart
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations
from tests.core.unrolling.kernels.cells import CELLS, given_to, results, sizes
from tests.core.unrolling.kernels.loops_in import loops_in
from tests.core.unrolling.kernels.nodes import Nodes
from tests.core.unrolling.kernels.trials import GIVEN, is_torchs
from tests.core.unrolling.zoo import DRAWING, ZOO

ROOT = Path(__file__).parents[4]
UNIT = 2.0**-23  # in the last place of 1


@pytest.mark.parametrize("options", [False, True], ids=["plain", "with options"])
@pytest.mark.parametrize("operation", GIVEN, ids=str)
def test_a_formula_is_torchs_operation(operation: Any, options: bool) -> None:
    is_torchs(operation, options, computed)


def computed(rows: Sequence[fx.Node], node: fx.Node, given: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    (made,) = looped(rows, [], [], [node])(*given)
    assert made.dtype == dtype
    return made


def by_elements(operation: Any, x: Tensor) -> Tensor:
    nodes = Nodes()
    row = nodes.rows("x", x.shape[1])
    (made,) = looped([row], [], [], [nodes.call(operation, row, width=x.shape[1])])(x)
    return made


@pytest.mark.parametrize(
    ("operation", "exact"),
    [
        (ATEN.exp.default, math.exp),
        (ATEN.tanh.default, math.tanh),
        (ATEN.sigmoid.default, lambda x: 1 / (1 + math.exp(-x))),
    ],
    ids=["exp", "tanh", "sigmoid"],
)
def test_what_it_computes_is_right_to_three_units_in_the_last_place(
    operation: Any, exact: Callable[[float], float]
) -> None:
    """Of Python's own, of 64 bits, wherever the result is no smaller than the smallest normal number."""
    small = [sign * 10.0**power for sign in (-1, 1) for power in range(-30, 0)]
    x = torch.tensor([*torch.linspace(-87, 88, 40_001).tolist(), *small, 0.0, -0.0]).unsqueeze(0)
    found = by_elements(operation, x)[0].double()
    wanted = torch.tensor([exact(value) for value in x[0].tolist()], dtype=torch.double)
    unit = UNIT * 2 ** wanted.abs().clamp_min(2.0**-126).log2().floor()
    assert float(((found - wanted).abs() / unit).max()) < 3


def test_at_the_ends_numbers_are_what_they_should_be() -> None:
    inf, nan = math.inf, math.nan
    x = torch.tensor([[-inf, -200.0, -100.0, 88.0, 88.7, 89.0, 200.0, inf, nan]])
    exp = by_elements(ATEN.exp.default, x)
    assert exp[0, [0, 1]].tolist() == [0, 0]
    assert exp[0, 2] == pytest.approx(3.8e-44, rel=0.05)  # below the normal numbers
    assert exp[0, 3:5].tolist() == pytest.approx([math.exp(value) for value in x[0, 3:5].tolist()], rel=4e-7)
    assert exp[0, 5:8].tolist() == [inf] * 3
    assert exp[0, 8].isnan()
    sigmoid, tanh = by_elements(ATEN.sigmoid.default, x), by_elements(ATEN.tanh.default, x)
    assert sigmoid[0, :8].tolist() == pytest.approx([0, 0, 0, 1, 1, 1, 1, 1], abs=1e-37)
    assert tanh[0, :8].tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    assert sigmoid[0, 8].isnan()
    assert tanh[0, 8].isnan()


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e-30, True])
def test_any_number_may_be_an_argument(number: float) -> None:
    nodes = Nodes()
    row = nodes.rows("x", 3)
    x = torch.tensor([[1.0, -2.0, 0.5]])
    (found,) = looped([row], [], [], [nodes.call(ATEN.mul.Scalar, row, number, width=3)])(x)
    torch.testing.assert_close(found, x * number, equal_nan=True)


def test_rows_may_lie_apart_and_be_cut_and_put_together() -> None:
    """A piece of rows, rows turned round, constants that lie apart; what is made has pieces of all widths."""
    nodes = Nodes()
    x, y, bit = nodes.rows("x", 8), nodes.rows("y", 3), nodes.rows("bit", 3, torch.bool)
    c, one = nodes.constant("c", 3), nodes.constant("one")
    first = nodes.call(ATEN.slice.Tensor, x, 1, 1, 4, width=3)
    last = nodes.call(ATEN.slice.Tensor, x, 1, -3, 9223372036854775807, width=3)
    sum_ = nodes.call(ATEN.add.Tensor, nodes.call(ATEN.mul.Tensor, first, c, width=3), y, width=3)
    less = nodes.call(ATEN.lt.Tensor, sum_, last, width=3, dtype=torch.bool)
    chosen = nodes.call(ATEN.where.self, bit, sum_, nodes.call(ATEN.mul.Tensor, last, one, width=3), width=3)
    whole = nodes.call(ATEN.cat.default, [chosen, x, sum_], 1, width=14)
    loop = looped([x, y, bit], [c, one], [whole], [less, sum_])

    many = torch.randn(5, 20)
    xs, ys = many[:, 4:12], torch.randn(3, 5).t()
    bits, cs = torch.rand(5, 6)[:, ::2] < 0.5, torch.randn(6)[::2]
    room = torch.full((7, 14), 9.0)
    found_less, found_sum = loop(xs, ys, bits, cs, torch.tensor(-2.0), room[1:6])
    wanted = xs[:, 1:4] * cs + ys
    torch.testing.assert_close(found_sum, wanted)
    assert torch.equal(found_less, wanted < xs[:, 5:])
    chosen_ = torch.where(bits, wanted, xs[:, 5:] * -2)
    torch.testing.assert_close(room[1:6], torch.cat((chosen_, xs, wanted), 1))
    assert (room[[0, 6]] == 9).all()


def test_no_rows_are_none() -> None:
    assert by_elements(ATEN.exp.default, torch.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("width", [1, 5, 70])
def test_sums_over_rows_are_made_before_what_reads_them(width: int) -> None:
    """Rows that are normalised, and whose sum is taken of what comes of it."""
    nodes = Nodes()
    x = nodes.rows("x", width)
    weight, bias = nodes.constant("weight", width), nodes.constant("bias", width)
    scaled = nodes.call(ATEN.mul.Scalar, x, 3.0, width=width)
    several = nodes.several(ATEN.native_layer_norm.default, scaled, [width], weight, bias, 1e-5)
    normal = nodes.call(getitem, several, 0, width=width)
    total = nodes.call(ATEN.sum.dim_IntList, normal, [1], True, width=1)
    shifted = nodes.call(ATEN.add.Tensor, normal, total, width=width)
    rows, w, b = torch.randn(400, width), torch.linspace(4, 5, width), torch.randn(width)
    (found,) = looped([x], [weight, bias], [], [shifted])(rows, w, b)
    wanted = torch.nn.functional.layer_norm(rows * 3, (width,), w, b)
    torch.testing.assert_close(found, wanted + wanted.sum(1, keepdim=True), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [STACK // 4, STACK // 4 + 1])
def test_a_row_that_would_fill_the_stack_is_not_kept_there(width: int) -> None:
    """What is normalised is made of rows that are put together and cut across."""
    nodes = Nodes()
    x, one = nodes.rows("x", width - 1), nodes.rows("one", 1)
    whole = nodes.call(ATEN.cat.default, [one, x], 1, width=width)
    total = nodes.call(ATEN.sum.dim_IntList, whole, [1], True, width=1)
    if width * 4 > STACK:
        with pytest.raises(UnwritableError, match=f"keeps {STACK + 4} bytes of a row"):
            looped([one, x], [], [], [total])
    else:
        rows = torch.rand(2, width)
        (found,) = looped([one, x], [], [], [total])(rows[:, :1], rows[:, 1:])
        torch.testing.assert_close(found, rows.sum(1, keepdim=True), rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64])
def test_other_types_are_not_written(dtype: torch.dtype) -> None:
    nodes = Nodes()
    x = nodes.rows("x", 3, dtype)
    with pytest.raises(UnwritableError):
        looped([x], [], [], [nodes.call(ATEN.neg.default, x, width=3, dtype=dtype)])


def as_the_steps(plan: Plan, cell: Cell, sizes: list[int], waiting: int = 0) -> None:
    """By its plan a cell gives what its steps give, gradients too."""
    z, state = given_to(cell, sizes, waiting)
    outcomes = []
    for way in (partial(unrolled, plan, cell), partial(step_by_step, cell.step)):
        torch.manual_seed(1)
        outcomes.append(results(way(z, sizes, state), cell, z, state))
    for found, wanted in zip(*outcomes, strict=True):
        atol = 1e-5 * max(1, float(wanted.detach().abs().max()))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=atol, equal_nan=True)


def plan_of(cell: Cell) -> Plan:
    return taken_apart(cell, *given_to(cell, [2], 0), kernels=Kernels.LOOPS)


@pytest.mark.parametrize("name", CELLS)
def test_it_gives_what_the_steps_give(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name]()
    plan = plan_of(cell)
    assert all(loops_in(plan))

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(sizes(), st.integers(0, 2))
    def check(sizes: list[int], waiting: int) -> None:
        as_the_steps(plan, cell, sizes, waiting)

    check()


@pytest.mark.parametrize("kind", ZOO, ids=lambda kind: kind.__name__)
def test_steps_of_any_kind_give_what_they_give(kind: type[Cell]) -> None:
    torch.manual_seed(0)
    cell = kind()
    as_the_steps(plan_of(cell), cell, [4, 4, 3, 1])


@pytest.mark.parametrize("name", DRAWING)
def test_random_numbers_are_drawn_in_their_order(name: str) -> None:
    torch.manual_seed(0)
    cell = DRAWING[name]()
    as_the_steps(plan_of(cell), cell, [4, 4, 3, 1])


class Leaky(Cell, ABC):
    """By elements; each test makes a class of its own of it, as what is found is kept by class."""

    input_size, output_size, state_sizes = 4, 4, (4,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = torch.lerp(state[0], torch.tanh(z), torch.sigmoid(z * state[0]))
        return h, (h,)


def loops_for(cell: Cell, rows: int = 1, dtype: torch.dtype = torch.float32) -> list[int]:
    z, h = (torch.zeros(rows, 4, dtype=dtype, requires_grad=True) for _ in range(2))
    return loops_in(plans.plan_of(cell, z, (h,)))


def test_steps_of_32_bits_have_them_and_of_64_bits_none() -> None:
    class Quick(Leaky):
        pass

    assert loops_for(Quick()) == [1, 1]
    assert loops_for(Quick(), dtype=torch.float64) == [0, 0]


def test_what_is_told_of_each_operation_is_told_of_all() -> None:
    class Counted(Leaky):
        pass

    with Operations() as counted:
        y, _ = scan(Counted(), torch.randn(2, 5, 4, requires_grad=True))
        y.sum().backward()
    assert counted.counts[ATEN.tanh.default] > 0
    assert loops_for(Counted()) == [1, 1]


def test_several_threads_share_large_steps_and_not_small_ones() -> None:
    class Shared(Leaky):
        pass

    most, threads = NUMBERS // 4, torch.get_num_threads()
    assert loops_for(Shared(), most + 1) == [1, 1]
    try:
        torch.set_num_threads(threads + 1)
        assert loops_for(Shared(), most + 1) == [0, 0]
        assert loops_for(Shared(), most) == [1, 1]
    finally:
        torch.set_num_threads(threads)


SCRIPT = """
import warnings
import torch
from rnnx.core.engine import loop, scan
from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.kernels.loops_in import loops_in

cell, x = PeepholeLSTM(3, hidden_size=4), torch.randn(2, 5, 3)
state = cell.initial_state(2, x)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for _ in range(2):
        torch.testing.assert_close(scan(cell, x, None, state), loop(cell, x, None, state))
print(loops_in(plan_of(cell, cell.project(x)[:, 0], state)), *(str(one.message) for one in said))
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
        (None, "[1, 2]"),
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
