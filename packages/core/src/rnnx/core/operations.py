"""torch's operations as the nodes of a graph: what they do, and how they do it with less."""

from __future__ import annotations

from collections.abc import Callable
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


def fused(graph: fx.Graph) -> fx.Graph:
    """Makes ``a + b @ c`` and ``a + b * c`` one operation each, where nothing else reads the product.

    Args:
        graph: As :func:`~rnnx.core.trace.traced` gives it; it is changed.
    """
    for node in list(graph.nodes):
        if node.target is ATEN.add.Tensor and not node.kwargs:
            _fuse(graph, node)
    graph.eliminate_dead_code()
    return graph


def _fuse(graph: fx.Graph, total: fx.Node) -> None:
    terms = [arg for arg in total.args if isinstance(arg, fx.Node) and _form(arg) == _form(total)]
    if len(terms) < 2:
        return
    for term, product in (terms, terms[::-1]):
        factors = [arg for arg in product.args if isinstance(arg, fx.Node)]
        alike = len({factor.meta.get("dtype") for factor in factors}) == 1
        if product.target in SUMS and len(product.users) == 1 and len(factors) == 2 and alike:
            with graph.inserting_before(total):
                node = graph.call_function(SUMS[product.target], (term, *factors))
            node.meta = dict(total.meta)
            total.replace_all_uses_with(node)
            graph.erase_node(total)
            return


def _form(node: fx.Node) -> tuple[Any, ...]:
    return tuple(node.meta.get(key) for key in ("by_rows", "shape", "dtype"))
