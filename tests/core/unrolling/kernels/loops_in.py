"""How many functions in C the steps of a plan call."""

from __future__ import annotations

from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.walks import Back, Forth


def loops_in(plan: Plan | None) -> list[int]:
    """Forth, and back."""
    assert plan is not None
    assert isinstance(plan.forward, Forth)
    assert isinstance(plan.backward, Back)
    parts = [plan.forward.part, plan.backward.part]
    return [
        sum(getattr(node.target, "__name__", "") == "loop" for node in part.__self__.graph.nodes)
        for part in parts
    ]
