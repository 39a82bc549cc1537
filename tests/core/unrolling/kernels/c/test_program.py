from __future__ import annotations

import pytest
import torch
from torch import fx

from rnnx.core.unrolling.kernels.c.program import Program, written
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

W = 4


def program(nodes: Nodes, end: fx.Node) -> Program:
    """Of what is given, rows and constants, to the room for an end."""
    given = [node for node in nodes.graph.nodes if node.op == "placeholder"]
    rows = [node for node in given if node.meta["by_rows"]]
    constants = [node for node in given if node not in rows]
    return written(Roles(rows, [], constants, [], [end]), reverse=False)


def test_what_is_multiplied_with_is_to_be_laid_out_and_products_have_room() -> None:
    nodes = Nodes()
    x, bias = nodes.rows("x", W), nodes.constant("bias", 7)
    u, v = nodes.constant("u", W, 7), nodes.constant("v", 7, 2)
    first = nodes.call(ATEN.tanh.default, nodes.call(ATEN.addmm.default, bias, x, u, width=7), width=7)
    found = program(nodes, nodes.call(ATEN.mm.default, first, v, width=2))
    assert found.matrices == {1, 2}  # of the bias and the two matrices
    assert sorted(width for width, _ in found.scratch) == [2, 7, 7]  # both, and what the second one reads
    assert {dtype for _, dtype in found.scratch} == {torch.float32}


def test_without_products_and_sums_each_row_is_read_and_written_once() -> None:
    nodes = Nodes()
    x = nodes.rows("x", W)
    found = program(nodes, nodes.call(ATEN.tanh.default, nodes.call(ATEN.neg.default, x, width=W), width=W))
    assert found.scratch == []
    assert found.text.count("for (long long row = first; row < end; row++)") == 1


@pytest.mark.parametrize(
    ("dtype", "rows"), [(torch.float64, True), (torch.int64, True), (torch.int32, False)]
)
def test_other_types_are_told(dtype: torch.dtype, rows: bool) -> None:
    nodes = Nodes()
    x = nodes.rows("x", W)
    other = nodes.rows("other", W, dtype) if rows else nodes.constant("other", W, dtype=dtype)
    with pytest.raises(UnwritableError, match=f"reads or makes {dtype}"):
        program(nodes, nodes.call(ATEN.mul.Tensor, x, other, width=W))


def test_the_text_is_the_same_for_the_same_step() -> None:
    """So that it is compiled once for all cells whose steps are alike."""
    texts = []
    for _ in range(2):
        nodes = Nodes()
        product = nodes.call(ATEN.mm.default, nodes.rows("x", W), nodes.constant("u", W, W), width=W)
        texts.append(program(nodes, nodes.call(ATEN.tanh.default, product, width=W)).text)
    assert texts[0] == texts[1]
