from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnx.core.cell import TreeCell
from rnnx.core.registry import plugins
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError
from rnnx.core.unrolling.kernels.triton.source import written
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

SHARED = 99 * 1024  # bytes that a block may take on the GPUs that have least
CELLS = [plugin.name for plugin in plugins("cell") if not issubclass(plugin.load(), TreeCell)]


def product(depth: int, width: int) -> Roles:
    nodes = Nodes()
    h, u = nodes.rows("h", depth), nodes.constant("u", depth, width)
    return Roles([], [h], [u], [h], [nodes.call(ATEN.mm.default, h, u, width=width)])


def test_small_matrices_are_multiplied_by_in_a_kernel() -> None:
    assert "tl.dot" in written(product(512, 2048), reverse=False).text


def test_large_ones_are_left_to_the_whole_of_a_gpu() -> None:
    with pytest.raises(UnwritableError, match="matrices of 4202496 bytes"):
        written(product(513, 2048), reverse=False)


def test_an_operation_that_has_no_formula_is_named() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 4)
    with pytest.raises(UnwritableError, match=r"aten\.erfinv\.default"):
        written(Roles([x], [], [], [], [nodes.call(ATEN.erfinv.default, x, width=4)]), reverse=False)


def test_a_matrix_made_of_rows_is_not_multiplied_by() -> None:
    nodes = Nodes()
    x, y = nodes.rows("x", 4), nodes.rows("y", 4)
    with pytest.raises(UnwritableError, match="no constant matrix"):
        written(Roles([x, y], [], [], [], [nodes.call(ATEN.mm.default, x, y, width=4)]), reverse=False)


def compiled(cache: Path, *cells: str) -> list[str]:
    """What is said of the kernels of cells when they are compiled for GPUs."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.unrolling.kernels.for_gpus", *cells],
        env=os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def fits(said: list[str]) -> bool:
    sizes = [int(line.split(": ")[1]) for line in said if ": " in line]
    return len(sizes) == 8 * sum(line.endswith("in 32 bits") for line in said) and max(sizes) <= SHARED


def test_gpus_compilers_take_them(tmp_path: Path) -> None:
    assert fits(compiled(tmp_path, "gru", "sru"))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_gpus_compilers_take_those_of_every_cell(cell: str, tmp_path: Path) -> None:
    assert fits(compiled(tmp_path, cell))
