"""What of the steps of a plan is in C."""

from __future__ import annotations

from rnnx.core.unrolling.kernels.native import Native
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.walks import Back, Forth, Walk

ALL = "all"


def in_c(plan: Plan | None) -> list[int | str]:
    """Forth and back, :data:`ALL`, or how many functions a step calls."""
    assert plan is not None
    return [_of(plan.forward), _of(plan.backward)]


def _of(walk: Walk) -> int | str:
    if isinstance(walk, Native):
        return ALL
    assert isinstance(walk, (Forth, Back))
    return sum(getattr(node.target, "__name__", "") == "loop" for node in walk.part.__self__.graph.nodes)
