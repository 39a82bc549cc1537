"""Whether a plan gives what the steps give: both are tried on the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import exact, seed
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import called_with, copies_of, named_tensors
from rnnx.core.unrolling.trace import UntraceableError
from rnnx.core.unrolling.unrolled import unrolled

PERTURBATION: Final = 0.1  # of the tensors, to see whether a plan holds for others too
NUDGE: Final = 8.0  # times the rounding of a number, by which a state differs that is as good as the same
STEPS_TO_REACH: Final = 4  # from the first state to one that a cell comes to
TOLERANCE: Final = {torch.float64: 1e-9, torch.float32: 1e-3}  # of what is compared, relative to its largest
TOLERANCE_OF_16_BITS: Final = 0.1  # also where these lie on the way to a gradient of 32


def compare(plan: Plan, cell: Cell, z: Tensor, state: State, sizes: Sequence[int]) -> None:
    """Refuses a plan that gives other numbers or gradients than the steps, from whatever state.

    What is zero at first, as a gate that opens later, hides what it is multiplied with: so not only with the
    cell's own tensors, and from any numbers at all. Of some of these the steps themselves make nothing
    certain, as where a memory is divided by a sum that is positive in use: then from what the cell comes to.

    Args:
        plan: The plan.
        cell: The cell.
        z: Of the kind that will come, ``(M, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        sizes: How many rows run at each step of what they are compared on.

    Raises:
        UntraceableError: it does.
    """
    seed(z.device, 0)
    drawn = torch.randn(sum(sizes), z.shape[1]).to(z)
    anywhere = tuple(torch.randn(sizes[0], *tensor.shape[1:]).to(tensor) for tensor in state)
    first = anywhere if plan.start is Start.NODES else cell.initial_state(sizes[0], drawn)
    moved = {name: _moved(tensor) for name, tensor in copies_of(cell).items()}
    trial = partial(_Trial, plan, cell, sizes, z, state)
    for tensors, before in (({}, first), ({}, anywhere), (moved, anywhere)):
        tried = trial(tensors)
        if tried.agrees(drawn, before):
            continue
        if not tried.is_certain(drawn, before):
            given, reached = called_with(cell, tensors, tried.in_use)
            if tried.agrees(given, reached if before is anywhere else before):
                continue
        raise UntraceableError("gives other numbers when it is taken apart")


@final
@dataclass(frozen=True)
class _Trial:
    """A plan and the steps, of some tensors of a cell.

    Args:
        plan: The plan.
        cell: The cell.
        sizes: How many rows run at each step.
        z: What will be read, and by which state, for their kinds.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        tensors: What the cell has in place of its own.
    """

    plan: Plan
    cell: Cell
    sizes: Sequence[int]
    z: Tensor
    state: State
    tensors: Mapping[str, Tensor]

    def agrees(self, given: Tensor, state: State) -> bool:
        """Whether the plan gives what the steps give, of what these start from and the state before."""
        return self._alike(
            self._result(partial(unrolled, self.plan), given, state), self._stepped(given, state)
        )

    def is_certain(self, given: Tensor, state: State) -> bool:
        """Whether the steps give finite numbers, and the same of what differs by a few roundings."""
        wanted = self._stepped(given, state)
        nudged = self._stepped(_nudged(given), tuple(map(_nudged, state)))
        return all(bool(tensor.isfinite().all()) for tensor in wanted) and self._alike(nudged, wanted)

    @torch.no_grad()
    def in_use(self, cell: Cell) -> tuple[Tensor, State]:
        """What the cell projects, and what its state is after some steps, of as many rows or children."""
        rows = self.state[0].shape[1:-1].numel() * self.sizes[0] if self.state else self.sizes[0]
        alone = Start.PROJECTED if self.plan.start is Start.NODES else self.plan.start

        def given(rows: int) -> Tensor:
            x = torch.randn(rows, cell.input_size).to(self.z)
            return x if alone is Start.INPUTS else cell.project(x)

        before = given(STEPS_TO_REACH * rows)
        _, last = alone.read(cell, before, [rows] * STEPS_TO_REACH, cell.initial_state(rows, before))
        of_rows = (tensor.shape[1:] for tensor in self.state)
        reached = tuple(
            tensor.view(self.sizes[0], *shape) for tensor, shape in zip(last, of_rows, strict=True)
        )
        return given(sum(self.sizes)), reached

    def _stepped(self, given: Tensor, state: State) -> Sequence[Tensor]:
        return self._result(self.plan.start.read, given, state)

    def _result(self, way: Callable[..., Any], given: Tensor, state: State) -> Sequence[Tensor]:
        given = given.detach().requires_grad_(self.plan.learns and self.z.requires_grad)
        result = partial(_result, self.plan, way, z=given, sizes=self.sizes, state=state)
        return called_with(self.cell, self.tensors, result)

    def _alike(self, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
        rounded = torch.is_autocast_enabled(self.z.device.type) or not exact()
        close = {} if rounded else TOLERANCE
        given = [tensor.dtype for tensor in (self.z, *self.state) if tensor.is_floating_point()]
        coarsest = max(close.get(dtype, TOLERANCE_OF_16_BITS) for dtype in given)
        return all(
            _near(one, other, max(coarsest, close.get(other.dtype, TOLERANCE_OF_16_BITS)))
            for one, other in zip(found, wanted, strict=True)
        )


def _nudged(tensor: Tensor) -> Tensor:
    """A tensor that differs by a few roundings."""
    if not tensor.is_floating_point():
        return tensor
    return tensor * (1 + NUDGE * torch.finfo(tensor.dtype).eps * torch.randn(tensor.shape).to(tensor))


def _near(found: Tensor, wanted: Tensor, tolerance: float) -> bool:
    """Whether all numbers are equal but for so much of the largest, or of 1."""
    if wanted.dtype == torch.bool or wanted.numel() == 0:
        return torch.equal(found, wanted)
    scale = wanted.detach().abs().amax().float().nan_to_num(1.0).clamp(1.0, 1e30)
    return torch.allclose(found, wanted, rtol=0, atol=tolerance * float(scale), equal_nan=True)


def _moved(tensor: Tensor) -> Tensor:
    """A parameter or buffer a little elsewhere."""
    if not tensor.is_floating_point():
        return tensor
    noise = PERTURBATION * torch.randn(tensor.shape).to(tensor)
    return (tensor.detach() + noise).requires_grad_(tensor.requires_grad)


def _result(
    plan: Plan, way: Callable[..., Any], cell: Cell, z: Tensor, sizes: Sequence[int], state: State
) -> Sequence[Tensor]:
    """Outputs, the last state, and where they are wanted gradients."""
    state = tuple(
        t.detach().to(d).requires_grad_(plan.learns) for t, d in zip(state, plan.dtypes, strict=True)
    )
    seed(z.device, 1)
    y, last = way(cell, z, sizes, state)
    given = [tensor for tensor in (z, *state, *named_tensors(cell).values()) if tensor.numel()]
    of = [tensor for tensor in given if tensor.requires_grad]
    return [y, *last, *_gradients((y, *last), of if plan.learns else [])]


def _gradients(outputs: Sequence[Tensor], of: Sequence[Tensor]) -> Sequence[Tensor]:
    if not of:
        return []
    total = torch.stack([output.double().square().sum() for output in outputs if output.requires_grad]).sum()
    return torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)
