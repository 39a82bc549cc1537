from __future__ import annotations

from operator import getitem

import pytest
import torch

from rnnx.core.unrolling.kernels.c.loops import Loop
from rnnx.core.unrolling.kernels.columns import Columns, columns_of, laid_out
from rnnx.core.unrolling.kernels.layout import Layout, Roles, UnwritableError
from rnnx.core.unrolling.kernels.triton.tiles import Tiles
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

each_language = pytest.mark.parametrize("language", [Tiles, Loop])


@each_language
def test_pieces_of_one_width_are_made_together(language: type[Columns]) -> None:
    nodes = Nodes()
    a, b = nodes.rows("a", 4), nodes.rows("b", 12)
    room = [nodes.call(ATEN.tanh.default, value, width=width) for value, width in ((b, 12), (a, 4))]
    layout = Layout(Roles([a, b], [], [], [], room), [])
    (made,) = columns_of(layout, 0, layout.outputs[0], language)
    assert made.base == 4


@each_language
def test_a_few_columns_are_not_the_measure_of_many(language: type[Columns]) -> None:
    nodes = Nodes()
    a, b = nodes.rows("a", 2), nodes.rows("b", 34)
    room = [nodes.call(ATEN.tanh.default, value, width=width) for value, width in ((a, 2), (b, 34))]
    layout = Layout(Roles([a, b], [], [], [], room), [])
    assert [made.base for made in columns_of(layout, 0, layout.outputs[0], language)] == [2, 34]


@each_language
def test_what_is_cut_across_is_written_down_before(language: type[Columns]) -> None:
    """Two columns from the second on, of two values of two columns each that are put together."""
    nodes = Nodes()
    a, b = nodes.rows("a", 2), nodes.rows("b", 2)
    both = nodes.call(ATEN.cat.default, [a, b], 1, width=4)
    middle = nodes.call(ATEN.slice.Tensor, both, 1, 1, 3, width=2)
    end = nodes.call(ATEN.tanh.default, middle, width=2)
    layout, stages = laid_out(Roles([a, b], [], [], [], [end]), language)
    assert layout.scratch == [(4, torch.float32)]
    assert [sorted(made.base for made in stage) for stage in stages] == [[2], [2]]


@each_language
def test_what_cannot_be_written_is_named(language: type[Columns]) -> None:
    nodes = Nodes()
    x = nodes.rows("x", 4)
    whole = nodes.call(ATEN.round.default, x, width=4, dtype=torch.int32)
    with pytest.raises(UnwritableError, match=r"makes torch\.int32 \(aten\.round\.default\)"):
        laid_out(Roles([x], [], [], [], [whole]), language)
    rest = nodes.several(ATEN.aminmax.default, x)
    with pytest.raises(UnwritableError, match=r"calls aten\.aminmax\.default"):
        laid_out(Roles([x], [], [], [], [nodes.call(getitem, rest, 0, width=4)]), language)


@each_language
def test_any_number_of_values_may_be_made_one_of_the_other(language: type[Columns]) -> None:
    """More than Python has calls of a function within itself."""
    nodes = Nodes()
    given = end = nodes.rows("x", 4)
    for _ in range(1500):
        end = nodes.call(ATEN.tanh.default, end, width=4)
    _, stages = laid_out(Roles([given], [], [], [], [end]), language)
    lines = [line for stage in stages for columns in stage for line in columns.lines]
    assert sum("tanh" in line for line in lines) == 1500
