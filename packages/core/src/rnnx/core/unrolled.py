"""A cell along packed sequences by its plan: few operations a step, and the rest once for all steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.cell import Cell
from rnnx.core.circumstances import Circumstances, transformed
from rnnx.core.plan import Plan
from rnnx.core.state import State
from rnnx.core.steps import step_by_step
from rnnx.core.substitution import named_tensors, with_tensors
from rnnx.core.trace import gradients_of


def unrolled(plan: Plan, cell: Cell, z: Tensor, sizes: Sequence[int], state: State) -> tuple[Tensor, State]:
    """As :func:`~rnnx.core.steps.step_by_step`, by a cell's plan.

    Differentiated twice, it is the readable loop that is differentiated.

    Args:
        plan: Made of this cell, or of one of the same signature.
        cell: The cell.
        z: Projected inputs ``(M, P)``.
        sizes: How many rows run at each step.
        state: The state before the first step, ``(N, size)``.

    Returns:
        ``y``, ``(M, output_size)``; and the state of each row after its last step.
    """
    before = [tensor.to(dtype) for tensor, dtype in zip(state, plan.dtypes, strict=True)]
    tensors = named_tensors(cell).values()
    if plan.learns:
        y, *last = _apply(plan, cell, list(sizes), z, *before, *tensors)
    else:
        with torch.autocast(z.device.type, enabled=False):
            (y, *_), last = _forth(plan, list(sizes), z, before, plan.constant(*tensors))
    return y, tuple(last)


def _forth(
    plan: Plan, sizes: list[int], z: Tensor, state: Sequence[Tensor], constants: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """What is kept of all steps, ``y`` first, and the last state."""
    kept = [form.empty(len(z), z.device) for form in plan.kept]
    finished: list[Sequence[Tensor]] = []
    running = len(state[0]) if state else sizes[0]
    rooms = zip(*(tensor.split(sizes) for tensor in kept), strict=True)
    for row, size, room in zip(z.split(sizes), sizes, rooms, strict=True):
        if size < running:
            finished.append([tensor[size:] for tensor in state])
            state = [tensor[:size] for tensor in state]
            running = size
        state = plan.forward(row, *state, *constants, *room)
    finished.append(state)
    return kept, [torch.cat(column) for column in zip(*reversed(finished), strict=True)]


@final
class _Unrolled(torch.autograd.Function):
    """The operations of a plan along time; what backward needs is saved as torch's own operations save it."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, cell: Cell, sizes: list[int], z: Tensor, *given: Tensor) -> Any:
        ctx.plan, ctx.cell, ctx.sizes = plan, cell, sizes
        ctx.circumstances = Circumstances.of(cell, z.device.type, plan.draws)
        state, tensors = states.split(given, (len(plan.dtypes), len(given) - len(plan.dtypes)))
        with torch.autocast(z.device.type, enabled=False):
            constants = plan.constant(*tensors)
            kept, last = _forth(plan, sizes, z, state, constants)
        ctx.counts = len(state), len(tensors), len(constants), len(kept)
        ctx.save_for_backward(z, *state, *tensors, *constants, *kept)
        return kept[0], *last

    @staticmethod
    def backward(ctx: Any, at_y: Tensor, *at_last: Tensor) -> Any:
        z, *saved = ctx.saved_tensors
        state, tensors, constants, kept = states.split(tuple(saved), ctx.counts)
        several = any(map(torch._C._functorch.is_legacy_batchedtensor, (at_y, *at_last)))
        if torch.is_grad_enabled() or transformed() or several:
            return None, None, None, *_again(ctx, [z, *state, *tensors], (at_y, *at_last))
        with torch.autocast(z.device.type, enabled=False):
            befores = [_before(state[place], kept[slab], ctx.sizes) for place, slab in ctx.plan.befores]
            values = ctx.plan.views(z, *befores, *kept, *constants)
            return None, None, None, *_back(ctx.plan, ctx.sizes, values, constants, at_y, at_last)


def _before(first: Tensor, after: Tensor, sizes: list[int]) -> Tensor:
    """A state before each step, ``(M, size)``, from the first one and those after each step."""
    pieces = zip(after.split(sizes), sizes[1:], strict=False)
    return torch.cat([first[: sizes[0]], *(piece[:size] for piece, size in pieces)])


def _back(
    plan: Plan,
    sizes: list[int],
    values: Sequence[Tensor],
    constants: Sequence[Tensor],
    at_y: Tensor,
    at_last: Sequence[Tensor],
) -> list[Tensor | None]:
    """The gradients at the projected inputs, the state and the cell's tensors."""
    passed = [form.empty(len(at_y), at_y.device) for form in plan.passed]
    columns = (tensor.split(sizes) for tensor in (at_y, *values[: plan.backward_reads], *passed))
    steps = list(zip(sizes, *columns, strict=True))
    gradient, running = [tensor[:0] for tensor in at_last], 0
    for size, at, *rows in reversed(steps):
        if size > running:
            gradient = [torch.cat((g, last[running:size])) for g, last in zip(gradient, at_last, strict=True)]
            running = size
        read, room = rows[: plan.backward_reads], rows[plan.backward_reads :]
        found = plan.backward(at, *gradient, *read, *constants, *room)
        gradient = [
            torch.zeros_like(g) if new is None else new for g, new in zip(gradient, found, strict=True)
        ]
    to_z, *to_tensors = plan.late(*passed, *values[plan.backward_reads :], *constants)
    rest = [torch.cat((g, last[running:])) for g, last in zip(gradient, at_last, strict=True)]
    return [to_z, *rest, *to_tensors]


def _again(ctx: Any, given: Sequence[Tensor], at: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients as a function that can be differentiated: those of the loop of steps."""
    count, names = len(ctx.plan.dtypes), named_tensors(ctx.cell)
    with ctx.circumstances.again(ctx.cell), torch.enable_grad():
        given = [tensor.view_as(tensor) for tensor in given]  # through which the gradient's own gradient goes
        z, state, tensors = given[0], tuple(given[1 : 1 + count]), given[1 + count :]
        named = dict(zip(names, tensors, strict=True))
        y, last = with_tensors(ctx.cell, named, step_by_step, ctx.cell.step, z, ctx.sizes, state)
    return gradients_of((y, *last), given, at, torch.is_grad_enabled())


_apply: Final[Callable[..., Any]] = _Unrolled.apply
