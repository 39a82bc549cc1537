"""A cell up trees by its plans: few operations a level, and the rest once for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, Final, NamedTuple, final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.again import Again, is_wanted
from rnnx.core.unrolling.levels import level_by_level
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.substitution import named_tensors


def folded(plans: Sequence[Plan], cell: Cell, z: Tensor, trees: Trees, leaves: State) -> tuple[Tensor, State]:
    """As :func:`~rnnx.core.unrolling.levels.level_by_level`, by plans.

    Differentiated twice, it is the readable way that is differentiated.

    Args:
        plans: Of each level but the leaves', for as many children as its nodes have; of states of one type.
        cell: The cell.
        z: The projected inputs of the nodes that are no leaves, ``(M, P)``; one at least.
        trees: Regular ones.
        leaves: The state of the leaves, ``(L, size)``.

    Returns:
        ``y`` of these nodes, ``(M, output_size)``; and the state of each tree's root, ``(N, size)``.
    """
    z = z.contiguous()
    before = [tensor.to(dtype) for tensor, dtype in zip(leaves, plans[0].dtypes, strict=True)]
    every = list(named_tensors(cell).items())
    named = {place: every[place][0] for place in sorted({place for plan in plans for place in plan.read})}
    tensors = {place: every[place][1] for place in named}
    if any(plan.learns for plan in plans):
        y, *roots = _apply(plans, cell, named, trees, z, *before, *tensors.values())
        return y, tuple(roots)
    with torch.autocast(z.device.type, enabled=False):
        y, nodes, _ = _up(_Run.of(plans, trees, tensors), z, before)
    return y, states.select(tuple(nodes), trees.tops)


@final
class _Run(NamedTuple):
    """Levels that follow one another and have one plan.

    Attributes:
        plan: The plan.
        sizes: How many nodes each has.
        rows: Where these are among those that are no leaves.
        nodes: Where they are among all.
        below: Their children, ``(n, K)``, as numbers of all nodes.
        constants: What the plan makes of the cell's tensors.
    """

    plan: Plan
    sizes: list[int]
    rows: slice
    nodes: slice
    below: Tensor
    constants: Sequence[Tensor]

    @classmethod
    def of(cls, plans: Sequence[Plan], trees: Trees, tensors: Mapping[int, Tensor]) -> list[_Run]:
        """All, from the lowest up, from the cell's tensors by their numbers."""
        leaves, *sizes = trees.sizes
        runs: list[_Run] = []
        start = 0
        for _, levels in groupby(
            zip(plans, sizes, trees.widths[1:], strict=True), lambda level: id(level[0])
        ):
            (plan, *_), own, (width, *_) = zip(*levels, strict=True)
            stop = start + sum(own)
            rows, nodes = slice(start, stop), slice(leaves + start, leaves + stop)
            constants = plan.constant(*(tensors[place] for place in plan.read))
            runs.append(cls(plan, list(own), rows, nodes, trees.below[nodes, :width], constants))
            start = stop
        return runs

    def up(self, z: Tensor, every: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """``y``, and what is kept and held; the states are written among those of all nodes."""
        plan, constants, given = self.plan, self.constants, z[self.rows]
        reads = 1 + plan.forward_reads
        ahead = (given, *plan.ahead(given, *constants))
        kept = [form.empty(len(given), z.device) for form in plan.kept]
        walked = plan.forward.prepared(constants)
        own = [nodes[self.nodes] for nodes in every]
        pieces = [tensor.split(self.sizes) for tensor in (self.below, *own, *ahead[:reads], *kept)]
        for size, below, *columns in zip(self.sizes, *pieces, strict=True):
            places, read, room = states.split(tuple(columns), (len(own), reads, len(kept)))
            children = [nodes[below] for nodes in every]  # (n, K, size)
            for place, made in zip(places, plan.forward([size], read, children, walked, room), strict=True):
                place.copy_(made)
        stored = [*kept, *ahead[reads:]]
        y, *more = plan.after(given, *self._befores(plan.after_befores, every), *stored, *constants)
        return y, [*stored, *more]

    def down(
        self,
        at_y: Tensor,
        at_every: Sequence[Tensor],
        z: Tensor,
        every: Sequence[Tensor],
        stored: Sequence[Tensor],
        to_z: Tensor,
    ) -> Sequence[Tensor | None]:
        """The gradients at the tensors that the plan reads; those at ``z`` and the children are written."""
        plan, constants, given = self.plan, self.constants, z[self.rows]
        reads, to_rows = plan.backward_reads, to_z[self.rows]
        befores = self._befores(plan.turn_befores, every)
        values = plan.turn(at_y[self.rows].contiguous(), given, *befores, *stored, *constants)
        passed = [
            to_rows if place == plan.to_z_passed else form.empty(len(given), z.device)
            for place, form in enumerate(plan.passed)
        ]
        walked = plan.backward.prepared(constants)
        own = [at[self.nodes] for at in at_every]
        pieces = [tensor.split(self.sizes) for tensor in (self.below, *own, *values[:reads], *passed)]
        for size, below, *columns in reversed(list(zip(self.sizes, *pieces, strict=True))):
            at, read, room = states.split(tuple(columns), (len(own), reads, len(passed)))
            for whole, found in zip(at_every, plan.backward([size], read, at, walked, room), strict=True):
                if found is not None:
                    whole[below] = found  # no node has two parents
        late = [to_rows] if plan.to_z and plan.to_z_passed is None else []
        return plan.late(*passed, *values[reads:], *constants, *late)

    def _befores(self, which: Sequence[tuple[int, int]], every: Sequence[Tensor]) -> list[Tensor]:
        """States of the children, ``(n, K, size)``."""
        return [every[place][self.below] for place, _ in which]


def _up(
    runs: Sequence[_Run], z: Tensor, leaves: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], list[list[Tensor]]]:
    """``y``, the states of all nodes, and what is kept and held of each run."""
    every = [torch.cat((leaf, leaf.new_empty(len(z), leaf.shape[1]))) for leaf in leaves]
    outputs, stored = zip(*(run.up(z, every) for run in runs), strict=True)
    return torch.cat(outputs), every, list(stored)


def _down(
    runs: Sequence[_Run],
    tops: Tensor,
    at_y: Tensor,
    at_roots: Sequence[Tensor],
    z: Tensor,
    every: Sequence[Tensor],
    stored: Sequence[Sequence[Tensor]],
) -> tuple[Tensor, list[Tensor], dict[int, Tensor]]:
    """The gradients at the projected inputs, the states of all nodes, and the tensors by their numbers."""
    at_every = [
        torch.zeros_like(nodes).index_copy(0, tops, at) for nodes, at in zip(every, at_roots, strict=True)
    ]
    to_z, to_tensors = torch.zeros_like(z), dict[int, Tensor]()
    for run, own in zip(reversed(runs), reversed(stored), strict=True):
        for place, found in zip(run.plan.read, run.down(at_y, at_every, z, every, own, to_z), strict=True):
            if found is not None:
                to_tensors[place] = to_tensors[place] + found if place in to_tensors else found
    return to_z, at_every, to_tensors


@final
class _Folded(torch.autograd.Function):
    """The operations of plans up trees; what backward needs is saved as torch's own operations save it."""

    @staticmethod
    def forward(
        ctx: Any,
        plans: Sequence[Plan],
        cell: Cell,
        named: Mapping[int, str],
        trees: Trees,
        z: Tensor,
        *given: Tensor,
    ) -> Any:
        def readable(cell: Cell, z: Tensor, leaves: State) -> tuple[Tensor, State]:
            return level_by_level(cell, z, trees, leaves)

        ctx.plans, ctx.named, ctx.trees = plans, named, trees
        separable, draws = all(plan.separable for plan in plans), any(plan.draws for plan in plans)
        ctx.again = Again.of(readable, cell, list(named.values()), z.device, separable, draws)
        leaves, tensors = states.split(given, (len(given) - len(named), len(named)))
        with torch.autocast(z.device.type, enabled=False):
            runs = _Run.of(plans, trees, dict(zip(named, tensors, strict=True)))
            y, every, stored = _up(runs, z, leaves)
        ctx.counts = len(leaves), len(tensors), len(every), *map(len, stored)
        ctx.save_for_backward(z, *leaves, *tensors, *every, *chain.from_iterable(stored))
        return y, *states.select(tuple(every), trees.tops)

    @staticmethod
    def backward(ctx: Any, at_y: Tensor, *at_roots: Tensor) -> Any:
        z, *saved = ctx.saved_tensors
        leaves, tensors, every, *stored = states.split(tuple(saved), ctx.counts)
        if is_wanted((at_y, *at_roots)):
            return None, None, None, None, *ctx.again.gradients(z, leaves, tensors, (at_y, *at_roots))
        with torch.autocast(z.device.type, enabled=False):
            runs = _Run.of(ctx.plans, ctx.trees, dict(zip(ctx.named, tensors, strict=True)))
            to_z, at_every, to_tensors = _down(runs, ctx.trees.tops, at_y, at_roots, z, every, stored)
        to_leaves = [at[: len(leaf)] for at, leaf in zip(at_every, leaves, strict=True)]
        to_own = *to_leaves, *map(to_tensors.get, ctx.named)
        reaches_z = any(plan.to_z for plan in ctx.plans)
        return None, None, None, None, to_z if reaches_z else None, *to_own


_apply: Final[Callable[..., Any]] = _Folded.apply
