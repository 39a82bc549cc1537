from __future__ import annotations

from collections.abc import Sequence
from operator import getitem

import torch
from torch import fx

from rnnx.core.unrolling.kernels.c.groups import Group, Work, grouped
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

W = 4
TYPES = (torch.float32, torch.bool)


def sorted_of(nodes: Nodes, *wanted: fx.Node, multiplies: bool = False) -> Sequence[Work]:
    """What is done, in its order, for some nodes to be there."""
    given = [node for node in nodes.graph.nodes if node.op == "placeholder"]
    operations = [node for node in nodes.graph.nodes if node.op != "placeholder"]
    return grouped(operations, given, wanted, TYPES, multiplies)


def chain(nodes: Nodes, x: fx.Node, length: int = 3) -> fx.Node:
    """So many elementwise operations, one of the other."""
    for _ in range(length):
        x = nodes.call(ATEN.tanh.default, x, width=W)
    return x


def test_what_products_part_is_made_in_two_groups() -> None:
    nodes = Nodes()
    z, h, u, c = nodes.rows("z", W), nodes.rows("h", W), nodes.constant("u", W, W), nodes.constant("c", W)
    before = chain(nodes, nodes.call(ATEN.mul.Tensor, h, c, width=W))
    product = nodes.call(ATEN.mm.default, before, u, width=W)
    after = chain(nodes, nodes.call(ATEN.add.Tensor, product, z, width=W))
    assert sorted_of(nodes, after) == [
        Group([h], [c], [before], []),
        product,
        Group([z, product], [], [after], []),
    ]


def test_products_may_be_in_a_group_with_what_leads_to_them_and_from_them() -> None:
    nodes = Nodes()
    z, h, u, c = nodes.rows("z", W), nodes.rows("h", W), nodes.constant("u", W, W), nodes.constant("c", W)
    before = chain(nodes, nodes.call(ATEN.mul.Tensor, h, c, width=W))
    product = nodes.call(ATEN.addmm.default, c, before, u, width=W)
    after = chain(nodes, nodes.call(ATEN.add.Tensor, product, z, width=W))
    assert sorted_of(nodes, after, multiplies=True) == [Group([z, h], [u, c], [after], [u])]


def test_a_product_of_rows_and_rows_or_of_other_types_is_in_none() -> None:
    """Nor one with a matrix that is made among the operations."""
    nodes = Nodes()
    x, y = nodes.rows("x", W), nodes.rows("y", W, torch.bfloat16)
    u, v = nodes.rows("u", W), nodes.constant("v", W, W, dtype=torch.bfloat16)
    made = nodes.call(ATEN.t.default, nodes.constant("w", W, W), width=W)
    made.meta |= {"shape": (W, W), "by_rows": False}
    given = [node for node in nodes.graph.nodes if node.op == "placeholder"]
    for left, right in ((x, u), (x, v), (y, v), (x, made)):
        product = nodes.call(ATEN.mm.default, left, right, width=W)
        end = chain(nodes, product)
        operations = [node for node in nodes.graph.nodes if node not in given][-4:]
        work = grouped([made, *operations], given, [end], TYPES, multiplies=True)
        assert work == [made, product, Group([product], [], [end], [])]


def test_what_a_later_group_reads_alone_is_made_there() -> None:
    """It could be made before the product."""
    nodes = Nodes()
    z, h, u = nodes.rows("z", W), nodes.rows("h", W), nodes.constant("u", W, W)
    early = chain(nodes, z)
    product = nodes.call(ATEN.mm.default, h, u, width=W)
    total = nodes.call(ATEN.add.Tensor, product, early, width=W)
    assert sorted_of(nodes, total) == [product, Group([z, product], [], [total], [])]


def test_what_both_groups_read_is_made_once() -> None:
    nodes = Nodes()
    z, u = nodes.rows("z", W), nodes.constant("u", W, W)
    both = chain(nodes, z)
    product = nodes.call(ATEN.mm.default, both, u, width=W)
    total = chain(nodes, nodes.call(ATEN.add.Tensor, product, both, width=W))
    assert sorted_of(nodes, total) == [
        Group([z], [], [both], []),
        product,
        Group([both, product], [], [total], []),
    ]


def test_views_are_looked_through() -> None:
    """A piece of a product, and a piece of what another group made."""
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", W, 2 * W)
    first = chain(nodes, x)
    wide = nodes.call(ATEN.mm.default, first, u, width=2 * W)
    halves = nodes.several(ATEN.split.Tensor, wide, W, 1)
    second = nodes.call(getitem, halves, 1, width=W)
    piece = nodes.call(ATEN.slice.Tensor, first, 1, 0, 1, width=1)
    end = chain(nodes, nodes.call(ATEN.mul.Tensor, second, piece, width=W))
    assert sorted_of(nodes, end) == [Group([x], [], [first], []), wide, Group([first, wide], [], [end], [])]


def test_a_view_that_is_wanted_needs_what_it_shows() -> None:
    nodes = Nodes()
    x = nodes.rows("x", W)
    end = chain(nodes, x)
    view = nodes.call(ATEN.slice.Tensor, end, 1, 0, 2, width=2)
    assert sorted_of(nodes, view) == [Group([x], [], [end], [])]


def test_what_is_put_together_for_a_product_is_written_as_one() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", 2 * W, W)
    both = nodes.call(ATEN.cat.default, [chain(nodes, x), x], 1, width=2 * W)
    product = nodes.call(ATEN.mm.default, both, u, width=W)
    assert sorted_of(nodes, product) == [Group([x], [], [both], []), product]


def test_what_has_as_many_rows_as_the_batch_is_made_without_their_number() -> None:
    """One column for all of several, and columns between zeros."""
    nodes = Nodes()
    x = nodes.rows("x", W)
    rows = nodes.graph.call_function(ATEN.sym_size.int, (x, 0))
    total = nodes.call(ATEN.sum.dim_IntList, x, [1], True, width=1)
    wide = nodes.call(ATEN.expand.default, total, [rows, W], width=W)
    around = nodes.call(ATEN.slice_backward.default, total, [rows, W], 1, 2, 3, 1, width=W)
    end = nodes.call(ATEN.mul.Tensor, wide, around, width=W)
    assert sorted_of(nodes, end)[-1] == Group([x], [], [end], [])


def test_one_operation_is_no_group() -> None:
    nodes = Nodes()
    end = chain(nodes, nodes.rows("x", W), 1)
    assert sorted_of(nodes, end) == [end]


def test_but_a_product_is_as_its_matrix_lies_ready() -> None:
    nodes = Nodes()
    h, u = nodes.rows("h", W), nodes.constant("u", W, W)
    product = nodes.call(ATEN.mm.default, h, u, width=W)
    assert sorted_of(nodes, product, multiplies=True) == [Group([h], [u], [product], [u])]
    assert sorted_of(nodes, product) == [product]


def test_the_parts_of_a_normalisation_stay_together() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", 1, W)
    several = nodes.several(ATEN.native_layer_norm.default, chain(nodes, x, 1), [W], None, None, 1e-5)
    normal, mean = (nodes.call(getitem, several, place, width=W if place == 0 else 1) for place in (0, 1))
    product = nodes.call(ATEN.mm.default, mean, u, width=W)
    end = chain(nodes, nodes.call(ATEN.add.Tensor, normal, product, width=W))
    assert sorted_of(nodes, end) == [
        Group([x], [], [normal, mean], []),
        product,
        Group([normal, product], [], [end], []),
    ]


def test_random_numbers_are_drawn_in_the_graphs_order() -> None:
    """The second could be drawn before the product that the first one waits for."""
    nodes = Nodes()
    x, u = nodes.rows("x", W), nodes.constant("u", W, W)
    product = nodes.call(ATEN.mm.default, x, u, width=W)
    first = nodes.call(ATEN.bernoulli.default, product, width=W)
    second = nodes.call(ATEN.bernoulli.default, x, width=W)
    end = chain(nodes, nodes.call(ATEN.mul.Tensor, first, second, width=W))
    assert sorted_of(nodes, end) == [product, first, second, Group([first, second], [], [end], [])]


def test_other_types_and_forms_are_left_to_torch() -> None:
    nodes = Nodes()
    x = nodes.rows("x", W)
    double = nodes.call(ATEN._to_copy.default, chain(nodes, x), width=W, dtype=torch.float64)
    small = nodes.call(ATEN._to_copy.default, chain(nodes, x), width=W, dtype=torch.bfloat16)
    work = sorted_of(nodes, double, small)
    assert [type(some) for some in work] == [Group, fx.Node, fx.Node]


def test_what_is_written_over_is_there_when_it_is_and_elementwise_is_made_anew() -> None:
    """As dropout does it: an empty tensor is filled with random numbers, and divided, where it lies."""
    nodes = Nodes()
    x, mask = nodes.rows("x", W), nodes.rows("mask", W, torch.bool)
    empty = nodes.call(ATEN.empty_like.default, x, width=W)
    drawn = nodes.call(ATEN.bernoulli_.float, empty, 0.5, width=W)
    scaled = nodes.call(ATEN.div_.Scalar, drawn, 0.5, width=W)
    filled = nodes.call(ATEN.masked_fill.Scalar, chain(nodes, x), mask, 0.0, width=W)
    end = nodes.call(ATEN.mul.Tensor, filled, scaled, width=W)
    assert sorted_of(nodes, end) == [empty, drawn, scaled, Group([x, mask, scaled], [], [end], [])]


def test_rows_of_no_numbers_are_left_to_torch() -> None:
    nodes = Nodes()
    x = nodes.rows("x", 0)
    first = nodes.call(ATEN.tanh.default, x, width=0)
    second = nodes.call(ATEN.tanh.default, first, width=0)
    assert sorted_of(nodes, second) == [first, second]
