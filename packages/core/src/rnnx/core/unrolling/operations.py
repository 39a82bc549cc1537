"""torch's operations as the nodes of a graph: what they do, and how they do it with less."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import getitem
from typing import Any, Final

import torch
from torch import fx

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
    ATEN.mm.default: torch.mm,
    ATEN.addmm.default: torch.addmm,
    ATEN.bmm.default: torch.bmm,
    ATEN.sigmoid.default: torch.sigmoid,
    ATEN.tanh.default: torch.tanh,
    ATEN.where.self: torch.where,
    ATEN.cat.default: torch.cat,
}
GRADIENTS: Final[dict[Any, Callable[..., Any]]] = {
    ATEN.sigmoid_backward.default: ATEN.sigmoid_backward.grad_input,
    ATEN.tanh_backward.default: ATEN.tanh_backward.grad_input,
}

SUMS: Final[dict[Any, Callable[..., Any]]] = {  # of a product and something else
    ATEN.mm.default: ATEN.addmm.default,
    ATEN.mul.Tensor: ATEN.addcmul.default,
}


def writes(node: fx.Node) -> bool:
    """Whether an operation writes over what it is given."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def draws(node: fx.Node) -> bool:
    """Whether an operation draws random numbers."""
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and torch.Tag.nondeterministic_seeded in node.target.tags
    )


def is_view(node: fx.Node) -> bool:
    """Whether an operation gives what it is given in another form, and each row of that from one row."""
    if node.target is getitem:
        return is_view(node.all_input_nodes[0])
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and node.target.is_view
        and node.meta.get("by_rows", True)
    )


def writing_into(graph: fx.Graph, node: fx.Node, room: fx.Node | None) -> fx.Node:
    """The same operation, written into room if there is some, and called in the fastest way."""
    operation = node.target
    node.target = DIRECT.get(operation, operation)
    if room is None:
        return node
    if operation in DIRECT:
        node.kwargs = {**node.kwargs, "out": room}
        return node
    if operation in GRADIENTS:
        node.target, node.kwargs = GRADIENTS[operation], {"grad_input": room}
        return node
    return graph.call_method("copy_", (room, node))


def fused(graph: fx.Graph, early: Collection[fx.Node] = ()) -> fx.Graph:
    """Makes ``a + b @ c``, ``a + b * c``, ``a + b * (c - a)`` and ``a + (-b)`` one operation each.

    So it does where nothing else reads the product, or ``-b``, and the sum is not made at another time.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` gives it; it is changed.
        early: What is made before the steps.
    """
    for node in list(graph.nodes):
        if node.target is ATEN.add.Tensor and not node.kwargs:
            _fuse(graph, node, early)
    graph.eliminate_dead_code()
    return graph


def _fuse(graph: fx.Graph, total: fx.Node, early: Collection[fx.Node]) -> None:
    terms = [arg for arg in total.args if isinstance(arg, fx.Node) and _form(arg) == _form(total)]
    if len(terms) < 2:
        return
    for term, other in (terms, terms[::-1]):
        together = len(other.users) == 1 and (other in early) == (total in early)
        found = _sum(term, other) if together else None
        if found is not None:
            with graph.inserting_before(total):
                node = graph.call_function(*found)
            node.meta = dict(total.meta)
            total.replace_all_uses_with(node)
            graph.erase_node(total)
            return


def _sum(term: fx.Node, other: fx.Node) -> tuple[Any, tuple[fx.Node, ...]] | None:
    """The one operation that adds to a value what another operation gives, and what it reads."""
    reads = [arg for arg in other.args if isinstance(arg, fx.Node)]
    if other.target is ATEN.neg.default:
        return ATEN.sub.Tensor, (term, *reads)
    if other.target not in SUMS or len(reads) != 2 or len({read.meta.get("dtype") for read in reads}) != 1:
        return None
    for weight, way in (reads, reads[::-1]):
        alike = _form(weight) == _form(way) == _form(term)
        if other.target is ATEN.mul.Tensor and alike and _starts_at(way, term):
            return ATEN.lerp.Tensor, (term, way.all_input_nodes[0], weight)
    return SUMS[other.target], (term, *reads)


def _starts_at(way: fx.Node, start: fx.Node) -> bool:
    """Whether a value is what leads from one tensor to another of its form."""
    if way.target is not ATEN.sub.Tensor or way.kwargs or way.args[1] is not start:
        return False
    end = way.args[0]
    return isinstance(end, fx.Node) and _form(end) == _form(start)


def _form(node: fx.Node) -> tuple[Any, ...]:
    return tuple(node.meta.get(key) for key in ("by_rows", "shape", "dtype"))
