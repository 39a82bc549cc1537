"""A cell along packed sequences by its plan: few operations a step, and the rest once for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, groupby
from operator import not_
from typing import Any, Final, NamedTuple, final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.double_backward import DoubleBackward, is_wanted
from rnnx.core.unrolling.plan import Plan, Previous
from rnnx.core.unrolling.substitution import named_tensors

ROWS: Final = {"cpu": 2048}  # of the steps that go back together, few enough to stay in a processor's cache


def unrolled(plan: Plan, cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """As :meth:`~rnnx.core.unrolling.steps.Start.read`, by a cell's plan.

    Differentiated twice, it is the readable way that is differentiated.

    Args:
        plan: Made of this cell, or of one of the same signature.
        cell: The cell.
        z: What the plan starts from, ``(M, P)``.
        sizes: How many rows run at each step.
        state: The state before the first step, ``(N, size)``; of nodes ``(N, K, size)``.

    Returns:
        ``y``, ``(M, output_size)``; and the state of each row after its last step.
    """
    z = z.contiguous().resolve_neg()  # as all that may be read as plain memory
    before = [
        tensor.to(dtype).contiguous().resolve_neg() for tensor, dtype in zip(state, plan.dtypes, strict=True)
    ]
    named = list(named_tensors(cell).items())
    tensors = {named[place][0]: named[place][1].resolve_neg() for place in plan.read}
    if plan.learns:
        y, *last = _apply(plan, cell, list(tensors), list(sizes), z, *before, *tensors.values())
    else:
        with torch.autocast(z.device.type, enabled=False):
            y, _, last = _forward(plan, list(sizes), z, before, plan.constant(*tensors.values()))
    return y, tuple(last)


def _forward(
    plan: Plan, sizes: list[int], z: Tensor, state: Sequence[Tensor], constants: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """``y``, what is saved of all steps, and the last state."""
    forward = plan.forward
    read, held = forward.prologue(z, *constants)
    kept = [form.empty(len(z), z.device) for form in forward.kept]
    last = forward.steps(sizes, [z, *read], state, forward.steps.prepared(constants), kept)
    previous = _previous(forward.previous, state, kept, _Block(sizes, 0, slice(0, len(z))))
    y, more = forward.epilogue(z, *previous, *kept, *held, *constants)
    return y, [*kept, *held, *more], last


@final
class _Unrolled(torch.autograd.Function):
    """The operations of a plan along time; what backward needs is saved as torch's own operations save it."""

    @staticmethod
    def forward(
        ctx: Any, plan: Plan, cell: Cell, names: list[str], sizes: list[int], z: Tensor, *given: Tensor
    ) -> Any:
        def readable(cell: Cell, z: Tensor, state: State) -> tuple[Tensor, State]:
            return plan.start.read(cell, z, sizes, state)

        ctx.plan, ctx.sizes = plan, sizes
        ctx.double_backward = DoubleBackward.of(readable, cell, names, z.device, plan.separable, plan.draws)
        state, tensors = states.split(given, (len(plan.dtypes), len(given) - len(plan.dtypes)))
        with torch.autocast(z.device.type, enabled=False):
            constants = plan.constant(*tensors)
            y, saved, last = _forward(plan, sizes, z, state, constants)
        ctx.counts = len(state), len(tensors), len(constants), len(saved)
        ctx.save_for_backward(z, *state, *tensors, *constants, *saved)
        # one that is not differentiable as an object of its own: another may be the same tensor
        outputs = [
            output if differentiable else output.detach()
            for output, differentiable in zip((y, *last), plan.differentiable, strict=True)
        ]
        ctx.mark_non_differentiable(*compress(outputs, map(not_, plan.differentiable)))
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, at_y: Tensor, *at_last: Tensor) -> Any:
        z, *others = ctx.saved_tensors
        state, tensors, constants, saved = states.split(tuple(others), ctx.counts)
        if is_wanted((at_y, *at_last)):
            return None, None, None, None, *ctx.double_backward.gradients(z, state, tensors, (at_y, *at_last))
        with torch.autocast(z.device.type, enabled=False):
            at = _backward(ctx.plan, ctx.sizes, at_y, at_last, z, state, saved, constants)
            return None, None, None, None, *at


@final
class _Block(NamedTuple):
    """Some steps that follow one another.

    Attributes:
        sizes: How many rows run at each.
        earlier: How many ran at the step before them; 0 where there is none.
        rows: Where their rows are among those of all steps.
    """

    sizes: list[int]
    earlier: int
    rows: slice

    @classmethod
    def of(cls, sizes: list[int], most: int) -> list[_Block]:
        """All steps, in blocks of at most so many rows, or of one step."""
        blocks: list[_Block] = []
        start, rows = 0, slice(0, 0)
        for step, size in enumerate(sizes):
            if start < step and rows.stop + size - rows.start > most:
                blocks.append(cls(sizes[start:step], sizes[start - 1] if start else 0, rows))
                start, rows = step, slice(rows.stop, rows.stop)
            rows = slice(rows.start, rows.stop + size)
        return [*blocks, cls(sizes[start:], sizes[start - 1] if start else 0, rows)]


def _previous(
    which: Sequence[Previous], first: Sequence[Tensor], kept: Sequence[Tensor], block: _Block
) -> list[Tensor]:
    """States before each step of a block, ``(M, size)``, from the first one and what is kept of all steps."""
    sizes, earlier, rows = block

    def cut(first: Tensor, after: Tensor, start: int, stop: int) -> Tensor:
        return after[start:stop].reshape(stop - start, *first.shape[1:])

    def before(first: Tensor, after: Tensor) -> Tensor:
        if earlier == sizes[-1]:
            return cut(first, after, rows.start - earlier, rows.stop - earlier)
        pieces: list[Tensor] = []
        place, ran = rows.start, earlier
        for size, steps in groupby(sizes):  # of which only the first comes after one of more rows
            past = place + size * len(list(steps))
            pieces.append(cut(first, after, place - ran, place - ran + size) if ran else first[:size])
            if past > place + size:
                pieces.append(cut(first, after, place, past - size))
            place, ran = past, size
        return torch.cat(pieces)

    return [before(first[place], kept[after]) for place, after in which]


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return None if one is None or other is None else one + other


def _backward(
    plan: Plan,
    sizes: list[int],
    at_y: Tensor,
    at_last: Sequence[Tensor],
    z: Tensor,
    state: Sequence[Tensor],
    saved: Sequence[Tensor],
    constants: Sequence[Tensor],
) -> list[Tensor | None]:
    """The gradients at what the plan starts from, the state and the cell's tensors, block after block."""
    backward = plan.backward
    large = any(len(form.shape) > 1 for form in backward.passed)  # a matrix for each row
    blocks = _Block.of(sizes, 0 if large else ROWS.get(z.device.type, len(z)))
    most = max(block.rows.stop - block.rows.start for block in blocks)
    to_z = torch.empty_like(z) if backward.to_z else None
    room = [form.empty(most, z.device) for form in backward.passed]
    to_state = [tensor.contiguous().resolve_neg() for tensor in at_last]
    to_tensors: list[Tensor | None] = []
    prepared = backward.steps.prepared(constants)
    for block in reversed(blocks):
        rows, count = block.rows, block.rows.stop - block.rows.start
        previous = _previous(backward.previous, state, saved, block)
        pieces = [tensor[rows] for tensor in saved]
        at = at_y[rows].contiguous().resolve_neg()
        read, late = backward.prologue(at, z[rows], *previous, *pieces, *constants)
        passed, at_z = [tensor[:count] for tensor in room], [] if to_z is None else [to_z[rows]]
        filled = [*passed, *at_z] if backward.to_z_by_steps else passed
        to_state = backward.steps(block.sizes, read, to_state, prepared, filled)
        found = backward.epilogue(*passed, *late, *constants, *at_z)
        to_tensors = list(map(_sum, to_tensors, found)) if to_tensors else list(found)
    return [to_z, *to_state, *to_tensors]


_apply: Final[Callable[..., Any]] = _Unrolled.apply
