"""torch's operations as the nodes of a graph: what they do, and how they do it with less."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from operator import getitem
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast, final

import torch
from torch import fx

from rnnx.core.nets.products import addmm, mm

ATEN = torch.ops.aten

# torch's own functions, which are called faster than the operations that they stand for and can write into a
# tensor
DIRECT: Final[dict[Any, Callable[..., Any]]] = {
    ATEN.add.Tensor: torch.add,
    ATEN.sub.Tensor: torch.sub,
    ATEN.mul.Tensor: torch.mul,
    ATEN.div.Tensor: torch.div,
    ATEN.addcmul.default: torch.addcmul,
    ATEN.lerp.Tensor: torch.lerp,
    ATEN.mm.default: mm,
    ATEN.addmm.default: addmm,
    ATEN.bmm.default: torch.bmm,
    ATEN.sigmoid.default: torch.sigmoid,
    ATEN.tanh.default: torch.tanh,
    ATEN.where.self: torch.where,
    ATEN.cat.default: torch.cat,
}
VIEWS: Final[dict[Any, Callable[..., Any]]] = {  # and views, which are unsafe only to differentiate
    ATEN.split.Tensor: torch.unsafe_split,
    ATEN.split_with_sizes.default: torch.unsafe_split_with_sizes,
    ATEN.view.default: torch.reshape,  # what it shows may lie otherwise here
    ATEN._neg_view.default: torch.neg,  # so that what is read as plain memory has its sign
}
RESHAPED: Final = (ATEN.view.default, ATEN._unsafe_view.default, ATEN.unsqueeze.default, ATEN.squeeze.dim)
GRADIENTS: Final[dict[Any, Callable[..., Any]]] = {
    ATEN.sigmoid_backward.default: ATEN.sigmoid_backward.grad_input,
    ATEN.tanh_backward.default: ATEN.tanh_backward.grad_input,
}

THROUGHOUT: Final[dict[Any, bool]] = {ATEN.ones.default: True, ATEN.zeros.default: False}

PRODUCTS: Final = (ATEN.mm.default, ATEN.addmm.default)  # of rows with a matrix
SUMS: Final[dict[Any, Callable[..., Any]]] = {  # of a product and something else
    ATEN.mm.default: ATEN.addmm.default,
    ATEN.mul.Tensor: ATEN.addcmul.default,
}
FACTORS: Final[dict[Any, str]] = {
    ATEN.mm.default: "alpha",
    ATEN.mul.Tensor: "value",
}  # by which those take the product


def overwritten(node: fx.Node) -> list[fx.Node]:
    """What an operation writes over, of what it is given."""
    if not isinstance(node.target, torch._ops.OpOverload) or not node.target._schema.is_mutable:
        return []
    found: list[fx.Node] = []
    for place, argument in enumerate(node.target._schema.arguments):
        given = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
        if argument.alias_info is not None and argument.alias_info.is_write:
            fx.node.map_arg(given, found.append)
    return found


def without_writing(operation: Any) -> Any:
    """The operation that makes what one writes over the first of what it is given; None where there is none.

    Both are given the same; they need not be called alike.

    Example:
        >>> without_writing(ATEN.sigmoid_.default), without_writing(ATEN.sigmoid.default)
        (<OpOverload(op='aten.sigmoid', overload='default')>, None)
        >>> without_writing(ATEN.pow_.Scalar)
        <OpOverload(op='aten.pow', overload='Tensor_Scalar')>
    """
    space, _, name = operation._schema.name.partition("::")
    pure = getattr(ATEN, name[:-1], None)
    drawn = torch.Tag.nondeterministic_seeded in operation.tags
    if space != "aten" or not name.endswith("_") or drawn or pure is None:
        return None
    made = (getattr(pure, overload) for overload in pure.overloads())
    return next((other for other in made if _given(other) == _given(operation)), None)


def _given(operation: Any) -> list[tuple[str, str]]:
    """What an operation is given, by name and type."""
    return [(argument.name, str(argument.type)) for argument in operation._schema.arguments]


def draws(node: fx.Node) -> bool:
    """Whether an operation draws random numbers."""
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and torch.Tag.nondeterministic_seeded in node.target.tags
    )


def is_elementwise(node: fx.Node) -> bool:
    """Whether each number of what an operation gives is made of numbers in its place."""
    return isinstance(node.target, torch._ops.OpOverload) and torch.Tag.pointwise in node.target.tags


def is_view(node: fx.Node) -> bool:
    """Whether an operation gives what it is given in another form, and each row of that from one row."""
    if node.target is getitem:
        return is_view(node.all_input_nodes[0])
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and node.target.is_view
        and node.meta.get("by_rows", True)
    )


def unshaped(node: fx.Node) -> fx.Node:
    """What a node shows in another shape, each row of it from one row and in the same order; or itself."""
    shown = node
    while shown.target in RESHAPED and shown.meta.get("by_rows"):
        (shown,) = (read for read in shown.all_input_nodes if read.target is not ATEN.sym_size.int)
    return shown if shown.meta.get("by_rows") else node


def writing_into(graph: fx.Graph, node: fx.Node, room: fx.Node | None) -> fx.Node:
    """The same operation, written into room if there is some, and called in the fastest way."""
    operation = node.target
    node.target = (VIEWS | DIRECT).get(operation, operation)
    if room is None:
        return node
    if operation in DIRECT:
        node.kwargs = {**node.kwargs, "out": room}
        return node
    if operation in GRADIENTS:
        node.target, node.kwargs = GRADIENTS[operation], {"grad_input": room}
        return node
    return graph.call_method("copy_", (room, node))


def by_rows(graph: fx.Graph) -> fx.Graph:
    """Makes ``b @ a.T`` of ``(a @ b.T).T``, of a matrix and of rows, and ``a`` of ``a.T.T``.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` records it; it is changed.
    """
    for node in list(graph.nodes):
        made = _turned(node)
        twice = made and _turned(made)
        if twice is not None:
            node.replace_all_uses_with(twice)
        if made is None or made.target is not ATEN.mm.default or not node.meta["by_rows"]:
            continue
        matrix, other = cast("tuple[fx.Node, fx.Node]", made.args)
        rows = _turned(other)
        if rows is not None and not matrix.meta["by_rows"]:
            with graph.inserting_before(node):
                turned = graph.call_function(ATEN.t.default, (matrix,))
            turned.meta = {**matrix.meta, "shape": matrix.meta["shape"][::-1]}
            _replace(graph, node, _Call(ATEN.mm.default, (rows, turned)))
    graph.eliminate_dead_code()
    return graph


def decided(graph: fx.Graph) -> fx.Graph:
    """Makes ``a`` of what a mask that is true throughout, or false, chooses out of ``a`` and something else.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` records it; it is changed.
    """
    throughout: dict[fx.Node, bool] = {}
    for node in list(graph.nodes):
        first, *others = node.all_input_nodes or [node]
        if node.target in THROUGHOUT and node.meta.get("dtype") is torch.bool:
            throughout[node] = THROUGHOUT[node.target]
        elif first in throughout and is_view(node):
            throughout[node] = throughout[first]
        elif first in throughout and node.target is ATEN.bitwise_not.default:
            throughout[node] = not throughout[first]
        chosen: Any = node
        if node.target is ATEN.masked_fill.Scalar and throughout.get(others[0]) is False:
            chosen = first
        elif node.target is ATEN.where.self and first in throughout:
            chosen = node.args[1 if throughout[first] else 2]
        if chosen is not node and chosen.meta == node.meta:
            node.replace_all_uses_with(chosen)
    graph.eliminate_dead_code()
    return graph


def bare(graph: fx.Graph) -> fx.Graph:
    """Makes ``b @ c``, and an elementwise sum, of ``a + b @ c`` of rows.

    So the product can be made of all rows, and the sum where the rows are read.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` gives it; it is changed.
    """
    for node in list(graph.nodes):
        if node.target is ATEN.addmm.default and node.meta["by_rows"] and not node.kwargs:
            term, *factors = node.args
            with graph.inserting_before(node):
                made = graph.call_function(ATEN.mm.default, tuple(factors))
            made.meta = dict(node.meta)
            _replace(graph, node, _Call(ATEN.add.Tensor, (made, term)))
    return graph


def _turned(node: fx.Node) -> fx.Node | None:
    """The matrix of which a value is the transpose; None of what is none."""
    turns = {ATEN.t.default: (), ATEN.permute.default: ([1, 0],), ATEN.transpose.int: (0, 1)}
    if node.target not in turns or tuple(node.args[1:]) != turns[node.target]:
        return None
    return node.all_input_nodes[0]


def fused(graph: fx.Graph, early: Collection[fx.Node] = ()) -> fx.Graph:
    """Makes one operation each of what otherwise takes several.

    These are ``a + (-b)``, ``a + b @ c``, ``a - b @ c``, ``a + b * c``, ``a - b * c``, and the ways from one
    value to another, ``a + b * (c - a)`` and ``(1 - b) * a + b * c``. So it does where nothing else reads the
    terms of a sum, and the whole is not made at another time.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` gives it; it is changed.
        early: What is made before the steps.
    """
    for rewritten in (_difference, _between, _added):
        for node in list(graph.nodes):
            call = rewritten(node, early)
            if call is not None:
                _replace(graph, node, call)
        graph.eliminate_dead_code()
    return graph


@final
class _Call(NamedTuple):
    """An operation, and what it is given."""

    operation: Any
    args: tuple[Any, ...]
    options: Mapping[str, Any] = MappingProxyType({})


def _replace(graph: fx.Graph, node: fx.Node, call: _Call) -> None:
    with graph.inserting_before(node):
        other = graph.call_function(call.operation, call.args, dict(call.options))
    other.meta = dict(node.meta)
    node.replace_all_uses_with(other)
    graph.erase_node(node)


def _difference(total: fx.Node, early: Collection[fx.Node]) -> _Call | None:
    """``a + (-b)``."""
    for term, other in _terms(total, early, ATEN.add.Tensor):
        if other.target is ATEN.neg.default:
            return _Call(ATEN.sub.Tensor, (term, *other.args))
    return None


def _between(total: fx.Node, early: Collection[fx.Node]) -> _Call | None:
    """``(1 - b) * a + b * c`` as the way from ``a`` to ``c``."""
    for term, other in _terms(total, early, ATEN.add.Tensor):
        if len(term.users) > 1 or (term in early) != (total in early):
            continue
        for (start, rest), (end, weight) in product(_factors(term), _factors(other)):
            if _complement(rest) is weight and _alike(total, start, end, weight):
                return _Call(ATEN.lerp.Tensor, (start, end, weight))
    return None


def _added(total: fx.Node, early: Collection[fx.Node]) -> _Call | None:
    """A sum, or a difference, of a value and what one operation makes of others."""
    for term, other in _terms(total, early, ATEN.add.Tensor):
        for way, weight in _factors(other):
            if _starts_at(way, term) and _alike(term, way, weight):
                return _Call(ATEN.lerp.Tensor, (term, way.args[0], weight))
        if _is_product(other):
            return _Call(SUMS[other.target], (term, *other.args))
    for term, other in _terms(total, early, ATEN.sub.Tensor):
        if other is total.args[1] and _is_product(other):
            return _Call(SUMS[other.target], (term, *other.args), {FACTORS[other.target]: -1})
    return None


def _terms(total: fx.Node, early: Collection[fx.Node], operation: Any) -> Iterator[tuple[fx.Node, fx.Node]]:
    """The terms of a sum or difference, in either order, the second made for it alone and at its time."""
    terms = [arg for arg in total.args if isinstance(arg, fx.Node)]
    if total.target is operation and not total.kwargs and len(terms) == 2:
        for term, other in (terms, terms[::-1]):
            fit = _alike(total, other) and (_alike(total, term) or _is_bias(term, total))
            if fit and len(other.users) == 1 and (other in early) == (total in early):
                yield term, other


def _factors(node: fx.Node) -> list[tuple[fx.Node, fx.Node]]:
    """What an elementwise product is made of, in either order; nothing if it is none."""
    one, two = node.args if node.target is ATEN.mul.Tensor else (None, None)
    if isinstance(one, fx.Node) and isinstance(two, fx.Node):
        return [(one, two), (two, one)]
    return []


def _is_product(node: fx.Node) -> bool:
    """Whether a product, of whatever kind, can be added to something as it is made."""
    return (
        node.target in SUMS
        and all(isinstance(arg, fx.Node) for arg in node.args)
        and len({arg.meta.get("dtype") for arg in node.all_input_nodes}) == 1
    )


def _complement(node: fx.Node) -> fx.Node | None:
    """Of ``1 - a``, ``a``."""
    if node.target is not ATEN.rsub.Scalar or node.args[1:] != (1,) or node.kwargs:
        return None
    return node.all_input_nodes[0]


def _starts_at(way: fx.Node, start: fx.Node) -> bool:
    """Whether a value is what leads from one tensor to another of its form."""
    if way.target is not ATEN.sub.Tensor or way.kwargs or way.args[1] is not start:
        return False
    end = way.args[0]
    return isinstance(end, fx.Node) and _alike(start, end)


def _is_bias(node: fx.Node, rows: fx.Node) -> bool:
    """Whether a value is the same for all rows, and as wide and of the type of these."""
    form = node.meta.get("shape"), node.meta.get("dtype")
    return node.meta.get("by_rows") is False and form == (rows.meta["shape"], rows.meta["dtype"])


def _alike(*nodes: fx.Node) -> bool:
    """Whether values are of one form."""
    return len({tuple(node.meta.get(key) for key in ("by_rows", "shape", "dtype")) for node in nodes}) == 1
