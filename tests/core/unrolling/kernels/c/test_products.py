from __future__ import annotations

import os
import subprocess
import sys
from ctypes import CFUNCTYPE, c_longlong, c_void_p
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnnx.core.unrolling.kernels.c.products import in_panels, multiply

ROOT = Path(__file__).parents[5]
KERNEL = CFUNCTYPE(None, *[c_longlong] * 3, c_void_p, c_longlong, c_void_p, c_void_p)


def product(rows: Tensor, matrix: Tensor, room: Tensor) -> None:
    """Of rows whose columns lie side by side."""
    sizes = len(rows), matrix.shape[1], len(matrix)
    laid = in_panels(matrix)
    KERNEL(multiply())(*sizes, rows.data_ptr(), rows.stride(0), laid.data_ptr(), room.data_ptr())


def whole(*size: int) -> Tensor:
    """Whole numbers, so that sums of products of them are exact in whatever order."""
    return torch.randint(-9, 10, size).float()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 20), st.integers(1, 70), st.integers(0, 40), st.integers(0, 3), st.booleans())
def test_each_number_is_the_product_of_a_row_and_a_column(
    rows: int, width: int, depth: int, more: int, turned: bool
) -> None:
    """Rows may be apart, with something else between; the matrix may be turned; around the room nothing is
    written."""
    wide = torch.full((rows, depth + more), torch.nan)
    wide[:, :depth] = whole(rows, depth)
    matrix = whole(width, depth).t() if turned else whole(depth, width)
    room = torch.full((rows + 2, width), 7.5)
    product(wide[:, :depth], matrix, room[1:])
    wanted = [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in matrix.t().tolist()]
        for row in wide[:, :depth].tolist()
    ]
    assert room[1 : 1 + rows].tolist() == wanted
    assert (room[[0, -1]] == 7.5).all()


def test_it_is_as_exact_as_sums_of_32_bits_are() -> None:
    """Within what is likely for sums of so many numbers, one after the other (Higham & Mary 2019)."""
    rows, matrix = torch.randn(20, 700), torch.randn(700, 300)
    room, exact = torch.empty(20, 300), rows.double() @ matrix.double()
    product(rows, matrix, room)
    assert ((room - exact).abs() < 700**0.5 * 2.0**-24 * (rows.abs() @ matrix.abs())).all()


def test_a_number_that_is_none_is_in_its_row_alone_and_in_what_it_meets() -> None:
    rows, matrix, room = torch.ones(20, 3), torch.ones(3, 40), torch.empty(20, 40)
    rows[7, 1], matrix[2, 35] = torch.nan, torch.inf
    product(rows, matrix, room)
    assert room.isnan().nonzero()[:, 0].unique().tolist() == [7]
    assert room.isinf().nonzero().tolist() == [[row, 35] for row in range(20) if row != 7]


def test_the_last_panel_ends_in_zeros() -> None:
    matrix = whole(3, 40)
    panels = in_panels(matrix)
    assert panels.is_contiguous()
    columns = panels.transpose(0, 1).reshape(3, -1)  # (depth, width and more)
    assert torch.equal(columns[:, :40], matrix)
    assert not columns[:, 40:].any()


SCRIPT = """
import torch
from rnnx.core.engine import loop, scan
from rnnx.cells.peephole_lstm import PeepholeLSTM
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.kernels.in_c import in_c

cell, x = PeepholeLSTM(3, hidden_size=40), torch.randn(20, 5, 3)
state = cell.initial_state(20, x)
torch.testing.assert_close(scan(cell, x), loop(cell, x, None, state))
print(torch.backends.cpu.get_cpu_capability(), *in_c(plan_of(cell, cell.project(x)[:, 0], state)))
"""


@pytest.mark.parametrize(
    ("capability", "said"), [("avx2", "AVX2 all all"), ("default", "DEFAULT 1 2")], ids=["avx2", "neither"]
)
def test_torchs_own_are_called_on_processors_where_it_was_not_measured(capability: str, said: str) -> None:
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == said, done.stderr
