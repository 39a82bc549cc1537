from __future__ import annotations

from collections.abc import Callable
from operator import getitem
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from rnnx.core.unrolling.operations import (
    ATEN,
    bare,
    by_rows,
    decided,
    draws,
    fused,
    is_view,
    overwritten,
    without_writing,
    writing_into,
)

ROW = {"by_rows": True, "shape": (3,), "dtype": torch.float64}


def graph_of(operation: Any, *args: Any, count: int = 1, **kwargs: Any) -> tuple[fx.Graph, fx.Node]:
    """An operation of ``count`` tensors and other arguments."""
    graph = fx.Graph()
    given = [graph.placeholder(f"given_{number}") for number in range(count)]
    for node in given:
        node.meta = dict(ROW)
    node = graph.call_function(operation, (*given, *args), kwargs)
    node.meta = dict(ROW)
    return graph, node


@pytest.mark.parametrize(
    ("operation", "args", "facts"),
    [
        (ATEN.sigmoid.default, (), (False, False, False)),
        (ATEN.split.Tensor, (1, 1), (True, False, False)),
        (ATEN.t.default, (), (True, False, False)),
        (ATEN.bernoulli_.float, (0.5,), (False, True, True)),
        (ATEN.rand_like.default, (), (False, False, True)),
        (ATEN.add_.Scalar, (1,), (False, True, False)),
        (torch.tensor, (), (False, False, False)),
    ],
)
def test_what_an_operation_does(operation: Any, args: tuple[Any, ...], facts: tuple[bool, ...]) -> None:
    _, node = graph_of(operation, *args)
    assert (is_view(node), bool(overwritten(node)), draws(node)) == facts


def test_what_is_written_over_may_be_any_argument() -> None:
    graph = fx.Graph()
    one, other, out = (graph.placeholder(name) for name in ("one", "other", "out"))
    assert overwritten(graph.call_function(ATEN.add.out, (one, other), {"out": out})) == [out]
    assert overwritten(graph.call_function(ATEN._foreach_mul_.Scalar, ([one, other], 2.0))) == [one, other]
    assert overwritten(graph.call_function(ATEN.copy_.default, (one, other))) == [one]


def test_a_part_of_a_view_is_a_view_and_a_part_of_a_result_is_none() -> None:
    for operation, expected in ((ATEN.split.Tensor, True), (ATEN.native_dropout.default, False)):
        graph, node = graph_of(operation, 1, 1)
        assert is_view(graph.call_function(getitem, (node, 0))) is expected


def run(graph: fx.Graph, *given: Any) -> Any:
    return fx.GraphModule({}, graph)(*given)


@pytest.mark.parametrize(
    ("operation", "count", "args"),
    [
        (ATEN.mul.Tensor, 2, ()),
        (ATEN.sigmoid.default, 1, ()),
        (ATEN.tanh_backward.default, 2, ()),
        (ATEN.sigmoid_backward.default, 2, ()),
        (ATEN.relu.default, 1, ()),
        (ATEN.mm.default, 2, ()),
    ],
)
def test_what_is_written_into_room_is_what_comes_without(
    operation: Any, count: int, args: tuple[Any, ...]
) -> None:
    given = [torch.randn(3, 3, dtype=torch.double) for _ in range(count)]
    graph, node = graph_of(operation, *args, count=count)
    graph.output(writing_into(graph, node, None))
    wanted = run(graph, *given)
    graph = fx.Graph()
    nodes = [graph.placeholder(f"given_{number}") for number in range(count)]
    room = graph.placeholder("room")
    graph.output(writing_into(graph, graph.call_function(operation, (*nodes, *args)), room))
    place = torch.full((3, 3), 7.0, dtype=torch.double)
    found = run(graph, *given, place)
    assert torch.equal(place, wanted)
    assert found.data_ptr() == place.data_ptr()


def test_a_view_of_another_sign_is_numbers_of_that_sign() -> None:
    graph, node = graph_of(ATEN._neg_view.default)
    graph.output(writing_into(graph, node, None))
    made = run(graph, torch.tensor([2.0]))
    assert (made.is_neg(), made.item()) == (False, -2)


def total(build: Callable[[fx.Graph, list[fx.Node]], fx.Node], count: int) -> fx.Graph:
    graph = fx.Graph()
    given = [graph.placeholder(f"given_{number}") for number in range(count)]
    for node in given:
        node.meta = dict(ROW)
    graph.output(build(graph, given))
    return graph


def call(graph: fx.Graph, operation: Any, *args: Any, **meta: Any) -> fx.Node:
    node = graph.call_function(operation, args)
    node.meta = ROW | meta
    return node


def targets(graph: fx.Graph) -> list[Any]:
    return [node.target for node in graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("product", "sum_of_products", "by_hand"),
    [
        (ATEN.mm.default, ATEN.addmm.default, lambda a, b, c: a + b @ c),
        (ATEN.mul.Tensor, ATEN.addcmul.default, lambda a, b, c: a + b * c),
    ],
)
def test_a_sum_of_a_product_is_one_operation(
    first: bool, product: Any, sum_of_products: Any, by_hand: Callable[..., Tensor]
) -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        terms = [call(graph, product, b, c), a]
        return call(graph, ATEN.add.Tensor, *(terms if first else terms[::-1]))

    graph = fused(total(build, 3))
    given = [torch.randn(3, 3, dtype=torch.double) for _ in range(3)]
    assert targets(graph) == [sum_of_products]
    torch.testing.assert_close(run(graph, *given), by_hand(*given))


@pytest.mark.parametrize(
    ("product", "difference", "by_hand"),
    [
        (ATEN.mm.default, ATEN.addmm.default, lambda a, b, c: a - b @ c),
        (ATEN.mul.Tensor, ATEN.addcmul.default, lambda a, b, c: a - b * c),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["a - ...", "a + -(...)"])
def test_a_difference_with_a_product_is_one_operation(
    turned: bool, product: Any, difference: Any, by_hand: Callable[..., Tensor]
) -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        taken = call(graph, product, b, c)
        if turned:
            return call(graph, ATEN.add.Tensor, a, call(graph, ATEN.neg.default, taken))
        return call(graph, ATEN.sub.Tensor, a, taken)

    graph = fused(total(build, 3))
    given = [torch.randn(3, 3, dtype=torch.double) for _ in range(3)]
    assert targets(graph) == [difference]
    torch.testing.assert_close(run(graph, *given), by_hand(*given))


def test_what_is_taken_from_a_product_stays_a_difference() -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        return call(graph, ATEN.sub.Tensor, call(graph, ATEN.mul.Tensor, b, c), a)

    graph = fused(total(build, 3))
    a, b, c = (torch.randn(3, 3, dtype=torch.double) for _ in range(3))
    assert targets(graph) == [ATEN.mul.Tensor, ATEN.sub.Tensor]
    assert torch.equal(run(graph, a, b, c), b * c - a)


@pytest.mark.parametrize("first", [True, False], ids=["(1 - b) ... + ...", "... + (1 - b) ..."])
@pytest.mark.parametrize("weight_first", [True, False], ids=["b c", "c b"])
def test_a_mixture_is_one_operation(first: bool, weight_first: bool) -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        rest = call(graph, ATEN.rsub.Scalar, b, 1)
        factors = [(rest, a), (b, c)] if weight_first else [(a, rest), (c, b)]
        terms = [call(graph, ATEN.mul.Tensor, *pair) for pair in factors]
        return call(graph, ATEN.add.Tensor, *(terms if first else terms[::-1]))

    graph = fused(total(build, 3))
    a, b, c = (torch.randn(3, 3, dtype=torch.double) for _ in range(3))
    assert targets(graph) == [ATEN.lerp.Tensor]
    torch.testing.assert_close(run(graph, a, b, c), (1 - b) * a + b * c)


def test_another_mixture_is_none() -> None:
    """2 - b in place of 1 - b."""

    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        terms = [
            call(graph, ATEN.mul.Tensor, *pair) for pair in ((call(graph, ATEN.rsub.Scalar, b, 2), a), (b, c))
        ]
        return call(graph, ATEN.add.Tensor, *terms)

    graph = fused(total(build, 3))
    a, b, c = (torch.randn(3, 3, dtype=torch.double) for _ in range(3))
    assert ATEN.lerp.Tensor not in targets(graph)
    torch.testing.assert_close(run(graph, a, b, c), (2 - b) * a + b * c)


def test_a_product_with_what_is_left_of_one_stays_one() -> None:
    """``a - a b`` has other digits where b is near 1, and none where a is infinite."""

    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        return call(graph, ATEN.mul.Tensor, given[0], call(graph, ATEN.rsub.Scalar, given[1], 1))

    assert targets(fused(total(build, 2))) == [ATEN.rsub.Scalar, ATEN.mul.Tensor]


@pytest.mark.parametrize("first", [True, False], ids=["a + ...", "... + a"])
@pytest.mark.parametrize("weight_first", [True, False], ids=["b * (c - a)", "(c - a) * b"])
def test_a_way_from_one_value_to_another_is_one_operation(first: bool, weight_first: bool) -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        a, b, c = given
        factors = [b, call(graph, ATEN.sub.Tensor, c, a)]
        terms = [a, call(graph, ATEN.mul.Tensor, *(factors if weight_first else factors[::-1]))]
        return call(graph, ATEN.add.Tensor, *(terms if first else terms[::-1]))

    graph = fused(total(build, 3))
    a, b, c = (torch.randn(3, 3, dtype=torch.double) for _ in range(3))
    assert targets(graph) == [ATEN.lerp.Tensor]
    torch.testing.assert_close(run(graph, a, b, c), a + b * (c - a))


def back(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    """a + b (a - c)."""
    a, b, c = given
    product = call(graph, ATEN.mul.Tensor, b, call(graph, ATEN.sub.Tensor, a, c))
    return call(graph, ATEN.add.Tensor, a, product)


def from_elsewhere(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    """a + b (c - b)."""
    a, b, c = given
    product = call(graph, ATEN.mul.Tensor, b, call(graph, ATEN.sub.Tensor, c, b))
    return call(graph, ATEN.add.Tensor, a, product)


def part_of_the_way(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    """a + b (c - 2 a)."""
    a, b, c = given
    way = call(graph, ATEN.sub.Tensor, c, a)
    way.kwargs = {"alpha": 2}
    return call(graph, ATEN.add.Tensor, a, call(graph, ATEN.mul.Tensor, b, way))


@pytest.mark.parametrize("build", [back, from_elsewhere, part_of_the_way])
def test_another_way_is_a_sum_of_a_product(build: Callable[[fx.Graph, list[fx.Node]], fx.Node]) -> None:
    given = [torch.randn(3, 3, dtype=torch.double) for _ in range(3)]
    graph = fused(total(build, 3))
    assert targets(graph) == [ATEN.sub.Tensor, ATEN.addcmul.default]
    torch.testing.assert_close(run(graph, *given), run(total(build, 3), *given))


@pytest.mark.parametrize("first", [True, False], ids=["-b + a", "a + -b"])
def test_a_sum_with_what_is_turned_round_is_a_difference(first: bool) -> None:
    def build(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
        terms = [call(graph, ATEN.neg.default, given[1]), given[0]]
        return call(graph, ATEN.add.Tensor, *(terms if first else terms[::-1]))

    graph = fused(total(build, 2))
    a, b = (torch.randn(3, 3, dtype=torch.double) for _ in range(2))
    assert targets(graph) == [ATEN.sub.Tensor]
    assert torch.equal(run(graph, a, b), a - b)


def test_what_is_made_before_the_steps_stays_there() -> None:
    """Of two products the one that is made in the step is added, whichever comes first."""
    for first in (True, False):
        early = []

        def build(graph: fx.Graph, given: list[fx.Node], first: bool = first, early: Any = early) -> fx.Node:
            products = [call(graph, ATEN.mul.Tensor, given[0], given[place]) for place in (1, 2)]
            early.append(products[0])
            return call(graph, ATEN.add.Tensor, *(products if first else products[::-1]))

        graph = fused(total(build, 3), early)
        _, node = (node for node in graph.nodes if node.op == "call_function")
        assert (node.target, node.args[0]) == (ATEN.addcmul.default, early[0])


@pytest.mark.parametrize("early", [True, False], ids=["before the steps", "in the step"])
@pytest.mark.parametrize("first", [True, False], ids=["... + bias", "bias + ..."])
def test_a_product_is_taken_out_of_a_sum_and_the_sum_is_made_one_again_where_both_are_made(
    first: bool, early: bool
) -> None:
    """Of ``bias + a @ b``: alone the product can be made of all rows."""
    graph = fx.Graph()
    bias, a, b = (graph.placeholder(name) for name in ("bias", "a", "b"))
    a.meta, b.meta, bias.meta = dict(ROW), {**ROW, "by_rows": False}, {**ROW, "by_rows": False}
    graph.output(call(graph, ATEN.addmm.default, bias, a, b))
    given = [torch.randn(3, dtype=torch.double), *torch.randn(2, 3, 3, dtype=torch.double)]
    wanted = given[0] + given[1] @ given[2]
    assert targets(bare(graph)) == [ATEN.mm.default, ATEN.add.Tensor]
    torch.testing.assert_close(run(graph, *given), wanted)
    product, total = (node for node in graph.nodes if node.op == "call_function")
    total.args = (product, bias) if first else (bias, product)
    assert targets(fused(graph, [product] if early else [])) == (
        [ATEN.mm.default, ATEN.add.Tensor] if early else [ATEN.addmm.default]
    )
    torch.testing.assert_close(run(graph, *given), wanted)


def test_a_sum_with_factors_is_not_taken_apart() -> None:
    graph = total(lambda graph, given: call(graph, ATEN.addmm.default, *given), 3)
    (node,) = (node for node in graph.nodes if node.op == "call_function")
    node.kwargs = {"beta": 2}
    assert targets(bare(graph)) == [ATEN.addmm.default]


def twice(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    product = call(graph, ATEN.mul.Tensor, given[0], given[1])
    return call(graph, ATEN.add.Tensor, call(graph, ATEN.add.Tensor, given[2], product), product)


def with_a_number(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    return call(graph, ATEN.add.Tensor, given[2], call(graph, ATEN.mul.Tensor, given[0], 2.0))


def spread_out(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    product = call(graph, ATEN.mul.Tensor, given[0], given[1], shape=(1,))
    return call(graph, ATEN.add.Tensor, given[2], product)


def of_other_types(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    narrow = call(graph, ATEN.relu.default, given[1], dtype=torch.float32)
    return call(graph, ATEN.add.Tensor, given[2], call(graph, ATEN.mul.Tensor, given[0], narrow))


def with_a_factor(graph: fx.Graph, given: list[fx.Node]) -> fx.Node:
    node = call(graph, ATEN.add.Tensor, given[2], call(graph, ATEN.mul.Tensor, given[0], given[1]))
    node.kwargs = {"alpha": 3}
    return node


@pytest.mark.parametrize("build", [twice, with_a_number, spread_out, of_other_types, with_a_factor])
def test_other_sums_stay_as_they_are(build: Callable[[fx.Graph, list[fx.Node]], fx.Node]) -> None:
    before = targets(total(build, 3))
    assert targets(fused(total(build, 3))) == before


@pytest.mark.parametrize(
    ("operation", "pure"),
    [
        (ATEN.add_.Tensor, ATEN.add.Tensor),
        (ATEN.masked_fill_.Scalar, ATEN.masked_fill.Scalar),
        (ATEN.copy_.default, ATEN.copy.default),
        (ATEN.add.Tensor, None),
        (ATEN.bernoulli_.float, None),  # whose draws would be others
        (torch.ops.prims.copy_to.default, None),
    ],
    ids=str,
)
def test_what_writes_over_its_first_argument_has_a_like_that_does_not(operation: Any, pure: Any) -> None:
    assert without_writing(operation) is pure


@pytest.mark.parametrize(
    "turn",
    [(ATEN.t.default,), (ATEN.permute.default, [1, 0]), (ATEN.transpose.int, 0, 1)],
    ids=["t", "permute", "transpose"],
)
def test_a_matrix_times_columns_is_rows_times_a_matrix(turn: tuple[Any, ...]) -> None:
    def turned(graph: fx.Graph, node: fx.Node, rows: bool, shape: tuple[int, ...]) -> fx.Node:
        made = graph.call_function(turn[0], (node, *turn[1:]))
        made.meta = {"by_rows": rows, "shape": shape, "dtype": torch.double}
        return made

    graph = fx.Graph()
    h, w = graph.placeholder("h"), graph.placeholder("w")
    h.meta = {"by_rows": True, "shape": (3,), "dtype": torch.double}
    w.meta = {"by_rows": False, "shape": (4, 3), "dtype": torch.double}
    product = graph.call_function(ATEN.mm.default, (w, turned(graph, h, False, (3, 2))))
    product.meta = {"by_rows": False, "shape": (4, 2), "dtype": torch.double}
    graph.output([turned(graph, product, True, (4,))])
    by_rows(graph)
    assert targets(graph) == [ATEN.t.default, ATEN.mm.default]
    rows, matrix = torch.randn(2, 3, dtype=torch.double), torch.randn(4, 3, dtype=torch.double)
    (found,) = fx.GraphModule({}, graph)(rows, matrix)
    torch.testing.assert_close(found, (matrix @ rows.T).T)


def masked(graph: fx.Graph, make: Any, turned: bool = False) -> fx.Node:
    """A mask of rows, made of their number, and perhaps what it leaves out; each by way of a view."""
    mask = graph.call_function(make, ([2, 3],), {"dtype": torch.bool})
    if turned:
        mask = graph.call_function(ATEN.bitwise_not.default, (mask,))
    view = graph.call_function(ATEN.unsqueeze.default, (mask, -1))
    made = graph.call_function(ATEN.squeeze.dim, (view, -1))
    for node in (mask, view, made, *mask.all_input_nodes):
        node.meta = {"by_rows": True, "shape": (3,), "dtype": torch.bool}
    return made


@pytest.mark.parametrize(("make", "turned"), [(ATEN.ones.default, True), (ATEN.zeros.default, False)])
def test_what_a_mask_leaves_as_it_is_needs_no_mask(make: Any, turned: bool) -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta = dict(ROW)
    filled = graph.call_function(ATEN.masked_fill.Scalar, (x, masked(graph, make, turned), 0))
    filled.meta = dict(ROW)
    graph.output(filled)
    assert targets(decided(graph)) == []
    given = torch.randn(2, 3)
    assert fx.GraphModule({}, graph)(given) is given


@pytest.mark.parametrize(("make", "chosen"), [(ATEN.ones.default, 0), (ATEN.zeros.default, 1)])
def test_of_two_values_a_mask_that_is_one_throughout_chooses_one(make: Any, chosen: int) -> None:
    graph = fx.Graph()
    both = graph.placeholder("a"), graph.placeholder("b")
    for node in both:
        node.meta = dict(ROW)
    where = graph.call_function(ATEN.where.self, (masked(graph, make), *both))
    where.meta = dict(ROW)
    graph.output(where)
    assert targets(decided(graph)) == []
    given = torch.randn(2, 3), torch.randn(2, 3)
    assert fx.GraphModule({}, graph)(*given) is given[chosen]


@pytest.mark.parametrize(
    ("make", "meta"),
    [
        (ATEN.ones.default, ROW),  # which leaves nothing
        (ATEN.rand.default, ROW),  # which nobody knows
        (ATEN.zeros.default, {**ROW, "by_rows": False}),  # what is the same for all rows becomes one for each
        (ATEN.zeros.default, {**ROW, "shape": (1,)}),
        (ATEN.zeros.default, {**ROW, "dtype": torch.float32}),
    ],
)
def test_any_other_mask_is_used(make: Any, meta: dict[str, Any]) -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta = dict(meta)
    filled = graph.call_function(ATEN.masked_fill.Scalar, (x, masked(graph, make), 0))
    filled.meta = dict(ROW)
    graph.output(filled)
    assert ATEN.masked_fill.Scalar in targets(decided(graph))
