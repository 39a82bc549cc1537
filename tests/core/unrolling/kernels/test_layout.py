from __future__ import annotations

from operator import getitem

import pytest
from torch import fx

from rnnx.core.unrolling.kernels.layout import (
    Layout,
    Part,
    Piece,
    Roles,
    UnwritableError,
    joined,
    viewed,
    width_of,
)
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes


def test_what_a_product_reads_is_made_a_stage_before() -> None:
    nodes = Nodes()
    z, h, u = nodes.rows("z", 4), nodes.rows("h", 4), nodes.constant("u", 4, 4)
    gate = nodes.call(ATEN.sigmoid.default, nodes.call(ATEN.mm.default, h, u, width=4), width=4)
    reset = nodes.call(ATEN.mul.Tensor, gate, h, width=4)
    again = nodes.call(ATEN.tanh.default, nodes.call(ATEN.mm.default, reset, u, width=4), width=4)
    new = nodes.call(ATEN.lerp.Tensor, h, again, gate, width=4)
    layout = Layout(Roles([z], [h], [u], [new], []), [])
    assert [layout.stage(node) for node in (z, gate, reset, again, new)] == [0, 0, 0, 1, 1]
    assert [{output.value for output in stage} for stage in layout.outputs] == [{gate, reset}, {new}]
    assert len(layout.scratch) == 2


def test_what_is_kept_anyway_is_written_down_once() -> None:
    nodes = Nodes()
    h, u = nodes.rows("h", 4), nodes.constant("u", 4, 4)
    gate = nodes.call(ATEN.tanh.default, h, width=4)
    new = nodes.call(ATEN.mm.default, gate, u, width=4)
    layout = Layout(Roles([], [h], [u], [new], [gate]), [])
    assert layout.scratch == []
    assert layout.addresses[gate].startswith("room_0 ")


def test_a_view_is_columns_of_what_it_shows() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 12)
    slice_ = nodes.call(ATEN.slice.Tensor, x, 1, 2, 10, width=8)
    halves = nodes.several(ATEN.split.Tensor, slice_, 4, -1)
    second = nodes.call(getitem, halves, 1, width=4)
    uneven = nodes.several(ATEN.split_with_sizes.default, second, [1, 3], 1)
    last = nodes.call(getitem, uneven, 1, width=3)
    end = nodes.call(ATEN.slice.Tensor, last, 1, -2, 9223372036854775807, width=2)
    layout = Layout(Roles([x], [], [], [], [end]), [])
    assert layout.piece(end, 0, 2) == Piece(x, 2 + 4 + 1 + 1)


def test_what_is_cut_and_joined_over_and_over_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each way from the last value to the first, of which there are 2 ** 12."""
    nodes, looked = Nodes(), []

    def seen(node: fx.Node) -> Piece | None:
        looked.append(node)
        return viewed(node)

    monkeypatch.setattr("rnnx.core.unrolling.kernels.layout.viewed", seen)
    x = turned = nodes.rows("x", 4)
    for _ in range(12):
        rest = nodes.call(ATEN.slice.Tensor, turned, 1, 1, 4, width=3)
        first = nodes.call(ATEN.slice.Tensor, turned, 1, 0, 1, width=1)
        turned = nodes.call(ATEN.cat.default, [rest, first], 1, width=4)
    end = nodes.call(ATEN.tanh.default, turned, width=4)
    layout = Layout(Roles([x], [], [], [], [end]), [])
    assert layout.piece(turned, 3, 1) == Piece(x, 3)
    assert len(looked) < 100


def test_rows_in_another_shape_are_the_same_rows() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 12)
    column = nodes.call(ATEN.select.int, x, 1, -2, width=None)
    again = nodes.call(ATEN.unsqueeze.default, column, -1, width=1)
    padded = nodes.call(ATEN.constant_pad_nd.default, x, [-3, -4], width=5)
    layout = Layout(Roles([x], [], [], [], [again, padded]), [])
    assert layout.piece(again, 0, 1) == Piece(x, 10)
    assert layout.piece(padded, 1, 4) == Piece(x, 3 + 1)


def test_a_row_as_a_table_is_its_pieces() -> None:
    """Twelve numbers as three rows of four."""
    nodes = Nodes()
    x = nodes.rows("x", 12)
    table = nodes.call(ATEN.view.default, x, [-1, 3, 4], width=12)
    table.meta["shape"] = (3, 4)
    last = nodes.call(ATEN.select.int, table, 1, -1, width=4)
    middle = nodes.call(getitem, nodes.several(ATEN.unbind.int, table, 1), 1, width=4)
    across = nodes.call(ATEN.select.int, table, 2, 1, width=3)
    assert viewed(last) == Piece(x, 8)
    assert viewed(middle) == Piece(x, 4)
    assert viewed(across) is None
    stacked = nodes.call(ATEN.stack.default, [last, middle], 1, width=8)
    row = nodes.call(ATEN.view.default, stacked, [-1, 8], width=8)
    assert joined(row) == [Part(last, 0, 4), Part(middle, 4, 4)]
    mixed = nodes.call(ATEN.stack.default, [last, middle], -1, width=8)
    assert joined(nodes.call(ATEN.view.default, mixed, [-1, 8], width=8)) == []


def test_a_column_that_is_put_back_is_between_zeros() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 1)
    back = nodes.call(ATEN.select_backward.default, x, [2, 5], 1, 3, width=5)
    assert joined(back) == [Part(0.0, 0, 3), Part(x, 3, 1), Part(0.0, 4, 1)]


def test_a_view_that_is_given_is_looked_through_no_further() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 4)
    view = nodes.call(ATEN.slice.Tensor, x, 1, 2, 4, width=2)
    assert Layout(Roles([view], [], [], [], [view]), []).piece(view, 0, 2) == Piece(view, 0)


def test_columns_of_what_is_put_together() -> None:
    nodes = Nodes()
    a, b = nodes.rows("a", 2), nodes.rows("b", 4)
    both = nodes.call(ATEN.cat.default, [a, b], 1, width=6)
    layout = Layout(Roles([a, b], [], [], [], [both]), [])
    assert layout.piece(both, 0, 2) == Piece(a, 0)
    assert layout.piece(both, 4, 2) == Piece(b, 2)
    assert layout.piece(both, 1, 2) == Piece(both, 1)  # of neither alone
    assert [(output.value, output.width) for output in layout.outputs[0]] == [(a, 2), (b, 4)]


def test_a_slices_gradient_is_zeros_around_what_came() -> None:
    nodes = Nodes()
    gradient = nodes.rows("gradient", 2)
    whole = nodes.call(ATEN.slice_backward.default, gradient, [0, 6], 1, -4, -2, 1, width=6)
    layout = Layout(Roles([gradient], [], [], [], [whole]), [])
    assert layout.piece(whole, 2, 2) == Piece(gradient, 0)
    assert layout.piece(whole, 0, 2) == Piece(0.0, 0)
    assert layout.piece(whole, 4, 2) == Piece(0.0, 0)


def test_no_row_of_numbers() -> None:
    nodes = Nodes()
    cube = nodes.rows("cube", 2)
    cube.meta["shape"] = (2, 3)
    with pytest.raises(UnwritableError, match="no row of numbers"):
        width_of(cube)
