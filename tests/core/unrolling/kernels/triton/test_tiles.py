from __future__ import annotations

from torch import fx

from rnnx.core.unrolling.kernels.columns import columns_of
from rnnx.core.unrolling.kernels.layout import Layout, Roles
from rnnx.core.unrolling.kernels.triton.tiles import Tiles
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes


def alone(roles: Roles) -> list[bool]:
    layout = Layout(roles, [])
    return [made.alone for stage in enumerate(layout.outputs) for made in columns_of(layout, *stage, Tiles)]


def elementwise(nodes: Nodes, *given: fx.Node) -> fx.Node:
    return nodes.call(ATEN.add.Tensor, *given, width=4)


def test_elementwise_each_block_of_columns_is_alone() -> None:
    nodes = Nodes()
    z, c = nodes.rows("z", 8), nodes.rows("c", 4)
    second = nodes.call(ATEN.slice.Tensor, z, 1, 4, 8, width=4)
    assert alone(Roles([z], [c], [], [elementwise(nodes, second, c)], [])) == [True]


def test_with_a_product_it_is_not() -> None:
    nodes = Nodes()
    h, u = nodes.rows("h", 4), nodes.constant("u", 4, 4)
    assert alone(Roles([], [h], [u], [nodes.call(ATEN.mm.default, h, u, width=4)], [])) == [False]


def test_nor_where_a_column_reads_another_one_of_the_state() -> None:
    nodes = Nodes()
    h, z = nodes.rows("h", 4), nodes.rows("z", 1)
    moved = [nodes.call(ATEN.slice.Tensor, h, 1, *ends, width=2) for ends in ((1, 3), (2, 4))]
    sums = nodes.call(ATEN.add.Tensor, *moved, width=2)
    assert alone(Roles([z], [h], [], [h], [sums])) == [False]


def test_nor_where_all_columns_read_one_of_the_state() -> None:
    nodes = Nodes()
    h, clock = nodes.rows("h", 4), nodes.rows("clock", 1)
    assert False in alone(Roles([], [h, clock], [], [elementwise(nodes, h, clock), clock], []))
