"""What of the steps of a plan is in C, and one operation there."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rnnx.core.unrolling.kernels.c.native import Native, looped
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.walks import Back, Forth, Walk
from tests.core.unrolling.kernels.nodes import Nodes

ALL = "all"


def in_c(plan: Plan | None) -> list[int | str]:
    """Forth and back, :data:`ALL`, or how many functions a step calls."""
    assert plan is not None
    return [_of(plan.forward.steps), _of(plan.backward.steps)]


def _of(walk: Walk) -> int | str:
    if isinstance(walk, Native):
        return ALL
    assert isinstance(walk, (Forth, Back))
    return sum(getattr(node.target, "__name__", "") == "loop" for node in walk.part.__self__.graph.nodes)


def by_elements(operation: Any, x: Tensor) -> Tensor:
    """An operation of each element of ``x``, two-dimensional, in C."""
    nodes = Nodes()
    row = nodes.rows("x", x.shape[1])
    (made,) = looped([row], [], [], [nodes.call(operation, row, width=x.shape[1])])(x)
    return made
