"""A cell up trees by its plans: few operations a level, and the rest once for many."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.double_backward import DoubleBackward, is_wanted
from rnnx.core.unrolling.levels import level_by_level
from rnnx.core.unrolling.plan import Plan, Previous
from rnnx.core.unrolling.substitution import named_tensors

T = TypeVar("T")
Way: TypeAlias = Generator[None, None, T]


def folded(plans: Sequence[Plan], cell: Cell, z: Tensor, trees: Trees, leaves: State) -> tuple[Tensor, State]:
    """As :func:`~rnnx.core.unrolling.levels.level_by_level`, by plans.

    Differentiated twice, it is the readable way that is differentiated.

    Args:
        plans: Of each group of the trees but the leaves, for as many children as its nodes have; of states of
            one type, and alike for groups alike.
        cell: The cell.
        z: The projected inputs of the nodes that are no leaves, ``(M, P)``; one at least.
        trees: The trees.
        leaves: The state of the leaves, ``(L, size)``.

    Returns:
        ``y`` of these nodes, ``(M, output_size)``; and the state of each tree's root, ``(N, size)``.
    """
    z = z.contiguous()
    before = [tensor.to(dtype) for tensor, dtype in zip(leaves, plans[0].dtypes, strict=True)]
    every = list(named_tensors(cell).items())
    named = {place: every[place][0] for place in sorted({place for plan in plans for place in plan.read})}
    tensors = {place: every[place][1].resolve_neg() for place in named}  # which may be read as plain memory
    if any(plan.learns for plan in plans):
        y, *roots = _apply(plans, cell, named, trees, z, *before, *tensors.values())
        return y, tuple(roots)
    with torch.autocast(z.device.type, enabled=False):
        y, nodes, _ = _up(_Run.of(plans, trees, tensors), trees, z, before)
    return y, states.select(tuple(nodes), trees.tops)


@final
class _Run(NamedTuple):
    """All nodes, but leaves, with as many children as each other; they have one plan.

    Attributes:
        plan: The plan.
        groups: Where those of each level are among all nodes, from the lowest up.
        rows: Where they all are among the nodes that are no leaves.
        below: Their children, ``(n, K)``, as numbers of all nodes.
        constants: What the plan makes of the cell's tensors.
    """

    plan: Plan
    groups: list[slice]
    rows: slice | Tensor
    below: Tensor
    constants: Sequence[Tensor]

    @classmethod
    def of(cls, plans: Sequence[Plan], trees: Trees, tensors: Mapping[int, Tensor]) -> dict[int, _Run]:
        """All, by the number of children, from the cell's tensors by their numbers."""
        leaves, counts = trees.groups[0], trees.counts[1:]
        ends = list(accumulate(trees.groups))
        groups = [slice(start, stop) for start, stop in pairwise(ends)]
        runs: dict[int, _Run] = {}
        for count, plan in dict(zip(counts, plans, strict=True)).items():
            own = [group for group, other in zip(groups, counts, strict=True) if other == count]
            rows = slice(None) if own == groups else _numbers(own, leaves, trees.below.device)
            constants = plan.constant(*(tensors[place] for place in plan.read))
            runs[count] = cls(plan, own, rows, trees.below[leaves:][rows, :count], constants)
        return runs

    @property
    def sizes(self) -> list[int]:
        """How many nodes each group has."""
        return [group.stop - group.start for group in self.groups]

    def up(self, z: Tensor, every: Sequence[Tensor]) -> Way[tuple[Tensor, list[Tensor]]]:
        """``y``, and what is saved; the states are written among those of all nodes."""
        forward, constants, given = self.plan.forward, self.constants, z[self.rows]
        read, held = forward.prologue(given, *constants)
        kept = [form.empty(len(given), z.device) for form in forward.kept]
        prepared = forward.steps.prepared(constants)
        pieces = [tensor.split(self.sizes) for tensor in (self.below, given, *read, *kept)]
        for group, below, *columns in zip(self.groups, *pieces, strict=True):
            rows, room = states.split(tuple(columns), (1 + len(read), len(kept)))
            children = [nodes[below] for nodes in every]  # (n, K, size)
            made = forward.steps([len(below)], rows, children, prepared, room)
            for nodes, new in zip(every, made, strict=True):
                nodes[group] = new
            yield
        previous = self._previous(forward.previous, every)
        y, more = forward.epilogue(given, *previous, *kept, *held, *constants)
        return y, [*kept, *held, *more]

    def down(
        self,
        at_y: Tensor,
        at_every: Sequence[Tensor],
        z: Tensor,
        every: Sequence[Tensor],
        saved: Sequence[Tensor],
    ) -> Way[tuple[Tensor | None, Sequence[Tensor | None]]]:
        """The gradients at ``z`` and the tensors that the plan reads; those at the children are written."""
        backward, constants, given = self.plan.backward, self.constants, z[self.rows]
        to_z = [torch.empty_like(given)] if backward.to_z else []
        previous = self._previous(backward.previous, every)
        read, late = backward.prologue(at_y[self.rows].contiguous(), given, *previous, *saved, *constants)
        passed = [form.empty(len(given), z.device) for form in backward.passed]
        filled = [*passed, *to_z] if backward.to_z_by_steps else passed
        prepared = backward.steps.prepared(constants)
        pieces = [tensor.split(self.sizes) for tensor in (self.below, *read, *filled)]
        for group, below, *columns in reversed(list(zip(self.groups, *pieces, strict=True))):
            rows, room = states.split(tuple(columns), (len(read), len(filled)))
            at = [nodes[group] for nodes in at_every]
            made = backward.steps([len(below)], rows, at, prepared, room)
            for nodes, found in zip(at_every, made, strict=True):
                if found is not None:
                    nodes[below] = found  # no node has two parents
            yield
        tensors = backward.epilogue(*passed, *late, *constants, *to_z)
        return (to_z[0] if to_z else None), tensors

    def _previous(self, which: Sequence[Previous], every: Sequence[Tensor]) -> list[Tensor]:
        """States of the children, ``(n, K, size)``."""
        return [every[place][self.below] for place, _ in which]


def _numbers(groups: Sequence[slice], start: int, device: torch.device) -> Tensor:
    """Those of the nodes of some groups, counted from ``start``."""
    return torch.cat([torch.arange(group.start - start, group.stop - start) for group in groups]).to(device)


def _in_turn(ways: Mapping[int, Way[T]], turns: Iterable[int]) -> dict[int, T]:
    """What ways come to that go on when it is their turn."""
    for turn in turns:
        next(ways[turn])
    return {name: _end(way) for name, way in ways.items()}


def _end(way: Way[T]) -> T:
    try:
        next(way)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a way has more groups than turns")


def _joined(parts: Sequence[tuple[slice | Tensor, Tensor]], rows: int) -> Tensor:
    """What was made of some rows each, for all rows; zeros of the others."""
    own, first = parts[0]
    if isinstance(own, slice):  # that is all
        return first
    whole = first.new_zeros(rows, *first.shape[1:])
    for own, part in parts:
        whole[own] = part
    return whole


def _up(
    runs: Mapping[int, _Run], trees: Trees, z: Tensor, leaves: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], list[list[Tensor]]]:
    """``y``, the states of all nodes, and what is saved of each run."""
    every = [torch.cat((leaf, leaf.new_empty(len(z), leaf.shape[1]))) for leaf in leaves]
    made = _in_turn({count: run.up(z, every) for count, run in runs.items()}, trees.counts[1:])
    y = _joined([(runs[count].rows, own) for count, (own, _) in made.items()], len(z))
    return y, every, [saved for _, saved in made.values()]


def _down(
    runs: Mapping[int, _Run],
    trees: Trees,
    at_y: Tensor,
    at_roots: Sequence[Tensor],
    z: Tensor,
    every: Sequence[Tensor],
    saved: Sequence[Sequence[Tensor]],
) -> tuple[Tensor | None, list[Tensor], dict[int, Tensor]]:
    """The gradients at the projected inputs, the states of all nodes, and the tensors by their numbers."""
    at_every = [
        torch.zeros_like(nodes).index_copy(0, trees.tops, at)
        for nodes, at in zip(every, at_roots, strict=True)
    ]
    ways = {
        count: run.down(at_y, at_every, z, every, own)
        for (count, run), own in zip(runs.items(), saved, strict=True)
    }
    made = _in_turn(ways, reversed(trees.counts[1:]))
    to_tensors: dict[int, Tensor] = {}
    for count, (_, gradients) in made.items():
        for place, found in zip(runs[count].plan.read, gradients, strict=True):
            if found is not None:
                to_tensors[place] = to_tensors[place] + found if place in to_tensors else found
    parts = [(runs[count].rows, to_z) for count, (to_z, _) in made.items() if to_z is not None]
    return _joined(parts, len(z)) if parts else None, at_every, to_tensors


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
        ctx.double_backward = DoubleBackward.of(
            readable, cell, list(named.values()), z.device, separable, draws
        )
        leaves, tensors = states.split(given, (len(given) - len(named), len(named)))
        with torch.autocast(z.device.type, enabled=False):
            runs = _Run.of(plans, trees, dict(zip(named, tensors, strict=True)))
            y, every, saved = _up(runs, trees, z, leaves)
        ctx.counts = len(leaves), len(tensors), len(every), *map(len, saved)
        ctx.save_for_backward(z, *leaves, *tensors, *every, *chain.from_iterable(saved))
        if not any(plan.differentiable[0] for plan in plans):
            ctx.mark_non_differentiable(y)
        return y, *states.select(tuple(every), trees.tops)

    @staticmethod
    def backward(ctx: Any, at_y: Tensor, *at_roots: Tensor) -> Any:
        z, *others = ctx.saved_tensors
        leaves, tensors, every, *saved = states.split(tuple(others), ctx.counts)
        if is_wanted((at_y, *at_roots)):
            return (
                None,
                None,
                None,
                None,
                *ctx.double_backward.gradients(z, leaves, tensors, (at_y, *at_roots)),
            )
        with torch.autocast(z.device.type, enabled=False):
            runs = _Run.of(ctx.plans, ctx.trees, dict(zip(ctx.named, tensors, strict=True)))
            to_z, at_every, to_tensors = _down(runs, ctx.trees, at_y, at_roots, z, every, saved)
        to_leaves = [at[: len(leaf)] for at, leaf in zip(at_every, leaves, strict=True)]
        return None, None, None, None, to_z, *to_leaves, *map(to_tensors.get, ctx.named)


_apply: Final[Callable[..., Any]] = _Folded.apply
