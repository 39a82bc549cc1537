from __future__ import annotations

import torch
from torch import fx

from rnnx.core.unrolling.functions import function_of
from rnnx.core.unrolling.kernels.c.groups import Group
from rnnx.core.unrolling.kernels.c.products import in_panels
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

N, W = 3, 4


def tanh(nodes: Nodes, x: fx.Node) -> fx.Node:
    return nodes.call(ATEN.tanh.default, x, width=W)


def test_operations_are_done_in_turn_and_views_where_they_are_read() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", 2, W)
    first = tanh(nodes, x)
    view = nodes.call(ATEN.slice.Tensor, first, 1, 1, 3, width=2)
    product = nodes.call(ATEN.mm.default, view, u, width=W)
    function = function_of([first, product], [x, u], [product, None, x, view])
    given, matrix = torch.randn(N, W), torch.randn(2, W)
    wanted = given.tanh()[:, 1:3]
    found = function(given, matrix)
    assert found[1] is None
    assert found[2] is given
    torch.testing.assert_close((found[0], found[3]), (wanted @ matrix, wanted))


def test_what_is_wanted_elsewhere_is_written_there() -> None:
    """By an operation, by a group, of a view, and of what is given."""
    nodes = Nodes()
    x = nodes.rows("x", W)
    one = tanh(nodes, x)
    two, three = tanh(nodes, one), nodes.call(ATEN.neg.default, one, width=W)
    view = nodes.call(ATEN.slice.Tensor, three, 1, 0, 2, width=2)
    function = function_of([one, Group([one], [], [two, three], [])], [x], [three, two], [one, two, view, x])
    given = torch.randn(N, W)
    room = [torch.empty(N, width) for width in (W, W, 2, W)]
    found = function(given, *room)
    first = given.tanh()
    torch.testing.assert_close(room, [first, first.tanh(), -first[:, :2], given])
    torch.testing.assert_close(found, (-first, first.tanh()))
    assert found[1] is room[1]


def test_what_has_as_many_rows_as_the_batch_is_made_with_as_many() -> None:
    nodes = Nodes()
    x = nodes.rows("x", W)
    rows = nodes.graph.call_function(ATEN.sym_size.int, (x, 0))
    ones = nodes.call(ATEN.ones.default, [rows, 2], width=2)
    function = function_of([rows, ones], [x], [ones])
    assert [len(function(torch.empty(size, W))[0]) for size in (1, 5)] == [1, 5]


def test_a_group_is_given_its_matrix_as_it_was_in_panels_and_torchs_product_as_it_is() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", W, 5)
    product = nodes.call(ATEN.mm.default, tanh(nodes, x), u, width=5)
    other = nodes.call(ATEN.mm.default, x, u, width=5)
    group = Group([x], [u], [product], [u])
    function = function_of([group, other], [x, u], [product, other], in_panels=[u])
    given, matrix = torch.randn(N, W), torch.randn(W, 5)
    found, alone = function(given, matrix, in_panels(matrix))
    torch.testing.assert_close(found, given.tanh() @ matrix)
    torch.testing.assert_close(alone, given @ matrix)
