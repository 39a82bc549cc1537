"""What of the steps of a plan is in C, and one operation there."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rnnx.core.unrolling.kernels.c.native import Native, looped
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.time_loop import Backwards, Forwards, TimeLoop
from tests.core.unrolling.kernels.nodes import Nodes

ALL = "all"


def in_c(plan: Plan | None) -> list[int | str]:
    """Forwards and back, :data:`ALL`, or how many functions a step calls."""
    assert plan is not None
    return [_of(plan.forward.steps), _of(plan.backward.steps)]


def _of(loop: TimeLoop) -> int | str:
    if isinstance(loop, Native):
        return ALL
    assert isinstance(loop, (Forwards, Backwards))
    return sum(getattr(node.target, "__name__", "") == "loop" for node in loop.part.__self__.graph.nodes)


def elementwise(operation: Any, x: Tensor) -> Tensor:
    """An operation of each element of ``x``, two-dimensional, in C."""
    nodes = Nodes()
    row = nodes.rows("x", x.shape[1])
    (made,) = looped([row], [], [], [nodes.call(operation, row, width=x.shape[1])])(x)
    return made
