from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling import unrolled as blocks
from rnnx.core.unrolling.plan import taken_apart
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.products import (
    ROWS,
    laid_out,
    pays,
    product,
    product_and_bias,
    product_and_rows,
)
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations

MKLDNN = torch.ops.mkldnn
LAYING, MULTIPLYING = MKLDNN._reorder_linear_weight.default, MKLDNN._linear_pointwise
LARGE = 725  # of a square matrix


@final
class Gated(Cell):
    """Two products with the state and one with what is made of it, one of them without a bias."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = size, size, (size,)
        self.gate, self.candidate = nn.Linear(size, size), nn.Linear(size, size, bias=False)
        self.output = nn.Linear(size, size)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        (h,) = state
        f = torch.sigmoid(z + self.gate(h))
        h = h + f * (torch.tanh(z + self.candidate(f * h)) - h)
        return h, (torch.tanh(self.output(h)),)


def outcome(way: Any, cell: Cell, x: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """The outputs, the last state, and the gradients of all that learns."""
    of = [x, *cell.parameters()]
    y, last = way(cell, x, lengths, cell.initial_state(len(x), x))
    ends = (y, *last)
    generator = torch.Generator().manual_seed(3)
    at = [torch.randn(end.shape, generator=generator).to(end) for end in ends]
    return [*ends, *torch.autograd.grad(ends, of, at)]


def worst(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest difference, next to the largest number of its tensor."""
    pairs = [(one.detach().double(), other.detach()) for one, other in zip(found, wanted, strict=True)]
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


def test_the_products_are_those_of_the_numbers() -> None:
    rows, matrix, bias = torch.randn(7, 60), torch.randn(60, 50), torch.randn(50)
    term, laid = torch.randn(7, 50), laid_out(matrix)
    wanted = rows.double() @ matrix.double()
    for found, added in (
        (product(rows, laid), 0.0),
        (product_and_bias(bias, rows, laid), bias),
        (product_and_rows(term, rows, laid), term),
    ):
        torch.testing.assert_close(found.double(), wanted + added, rtol=1e-5, atol=1e-5)


def test_rows_and_what_is_added_may_be_columns_of_something_wider() -> None:
    wide, matrix = torch.randn(9, 140), torch.randn(60, 50)
    rows, term = wide[:, 30:90], wide[:, 90:]
    found = product_and_rows(term, rows, laid_out(matrix))
    torch.testing.assert_close(found, rows @ matrix + term, rtol=1e-5, atol=1e-4)


def test_a_matrix_may_be_another_one_turned_round() -> None:
    rows, matrix = torch.randn(3, 60), torch.randn(50, 60)
    torch.testing.assert_close(product(rows, laid_out(matrix.t())), rows @ matrix.t(), rtol=1e-5, atol=1e-4)


def test_it_pays_for_many_rows_where_nobody_looks_on() -> None:
    many = torch.zeros(ROWS, 1)
    assert pays(many) == (torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"))
    assert not pays(many[1:])
    assert not pays(many.to("meta"))
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
        assert not pays(many)
    with Operations():
        assert not pays(many)


@pytest.mark.parametrize("rows", [2048, 24])
def test_a_matrix_is_laid_out_once_for_all_steps(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each way, however many blocks the way back has."""
    monkeypatch.setitem(blocks.ROWS, "cpu", rows)
    cell = Gated(LARGE)
    z, state = torch.randn(60, LARGE, requires_grad=True), cell.initial_state(6, torch.zeros(()))
    plan = taken_apart(cell, z, state, lay_out=True)
    with Operations() as forth:
        y, _ = unrolled(plan, cell, z, [6] * 10, state)
    assert forth.counts[LAYING] == 3
    assert forth.counts[MULTIPLYING.default] + forth.counts[MULTIPLYING.binary] == 3 * 10
    assert forth.products() == 0
    with Operations() as back:
        y.sum().backward()
    assert back.counts[LAYING] == 3
    assert back.counts[MULTIPLYING.default] + back.counts[MULTIPLYING.binary] == 3 * 10
    assert back.products() == 3 * (1 if rows == 2048 else 3)  # the gradients of the matrices


@pytest.mark.parametrize(
    ("size", "change"),
    [(720, lambda cell: cell), (LARGE, lambda cell: cell.double())],
    ids=["small", "of 64 bits"],
)
def test_other_matrices_stay_as_they_are(size: int, change: Callable[[Cell], Cell]) -> None:
    cell = change(Gated(size))
    z = torch.randn(2, size).to(next(cell.parameters()))
    state = cell.initial_state(2, z)
    plan = taken_apart(cell, z, state, lay_out=True)
    with Operations() as counted:
        unrolled(plan, cell, z, [2], state)[0].sum().backward()
    assert counted.counts[LAYING] == 0


@pytest.mark.parametrize("lengths", [None, [90, 80, 7, 33, 90, 90, 60, 1]], ids=["equal", "variable"])
def test_a_scan_of_many_rows_gives_what_the_loop_gives_with_more_bits(lengths: list[int] | None) -> None:
    cell, x = Gated(LARGE), torch.randn(8, 90, LARGE, requires_grad=True)
    many = None if lengths is None else torch.tensor(lengths)
    found = outcome(scan, cell, x, many)
    exact = outcome(loop, cell.double(), x.detach().double().requires_grad_(), many)
    assert worst(found, exact) < 1e-5


def test_only_of_many_rows_has_a_cell_a_plan_that_lays_its_matrices_out() -> None:
    cell, state = Gated(LARGE), (torch.zeros(8, LARGE),)
    x = torch.randn(ROWS, LARGE, requires_grad=True)
    few, many = plan_of(cell, x[8:], state), plan_of(cell, x, state)
    assert plan_of(cell, torch.randn(2 * ROWS, LARGE, requires_grad=True), state) is many
    for plan, laid in ((few, 0), (many, 2 * 3)):
        assert plan is not None
        with Operations() as counted:
            unrolled(plan, cell, x[:16], [8, 8], state)[0].sum().backward()
        assert counted.counts[LAYING] == laid


def test_what_counts_products_counts_all_of_them() -> None:
    cell, x = Gated(LARGE), torch.randn(8, ROWS // 8, LARGE, requires_grad=True)
    outcome(scan, cell, x, None)
    counts = []
    for way in (scan, loop):
        with FlopCounterMode(display=False) as counter:
            outcome(way, cell, x, None)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_in_inference_mode_as_without() -> None:
    cell, x = Gated(LARGE), torch.randn(8, ROWS // 8, LARGE)
    with torch.no_grad():
        wanted, _ = loop(cell, x, None, cell.initial_state(8, x))
    with torch.inference_mode():
        found, _ = scan(cell, x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
