"""Makes a cell's plan, and holds it against the readable way before it is used."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, Final, final

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils import parametrize

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxWarning
from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import exact, seed
from rnnx.core.unrolling.kernels.c.compiler import CompilerError
from rnnx.core.unrolling.kernels.c.native import pays
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import called_with, copies_of, is_separable, named_tensors
from rnnx.core.unrolling.trace import UntraceableError, settled
from rnnx.core.unrolling.unrolled import unrolled

# How many rows run at each step of the sequences on which a plan is compared with the steps: of any, of nodes
# of trees, which are one step, and of kernels, which take several blocks of rows.
SIZES: Final = (4, 3, 3, 1)
SIZES_OF_NODES: Final = (4,)
SIZES_OF_KERNELS: Final = (20, 20, 17, 5, 5, 1)
PERTURBATION: Final = 0.1  # of the tensors, to see whether a plan holds for others too
NUDGE: Final = 8.0  # times the rounding of a number, by which a state differs that is as good as the same
STEPS_TO_REACH: Final = 4  # from the first state to one that a cell comes to
TOLERANCE: Final = {torch.float64: 1e-9, torch.float32: 1e-3}  # of what is compared, relative to its largest
TOLERANCE_OF_16_BITS: Final = 0.1  # also where these lie on the way to a gradient of 32

KERNELS: Final = {"cuda": Kernels.TRITON, "cpu": Kernels.C}  # by the kind of device, where they can be had
DEVICE_ERRORS: Final = (torch.OutOfMemoryError, torch.AcceleratorError)  # which say nothing of a step


@final
class NoKernelWarning(RnnxWarning):
    """A cell is read without kernels, more slowly than it might be."""


def make_plan(cell: Cell, z: Tensor, state: State, start: Start) -> Plan | None:
    """Makes the plan of a cell, and compares it with the steps.

    On a GPU it is first made with kernels, and where they fail without them, which a warning says. No random
    number is drawn and no tensor of the cell is changed that anyone would see.

    Args:
        cell: The cell.
        z: What the plan starts from, of the kind that will come, ``(M, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        start: What ``z`` is.

    Returns:
        The plan; None where the cell fails without one too, and is to say so itself, and where of one from
        the inputs not all but the products can be in C.

    Raises:
        UntraceableError: the cell cannot be taken apart, or gives other numbers then.
    """
    compared = _in_c if start is Start.INPUTS else partial(_compared, start=start)
    with _undisturbed(z.device):
        own = _alone(cell)
        plan = called_with(own, copies_of(own), lambda cell: compared(cell, z, state))
    return plan and replace(plan, separable=is_separable(cell))


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """Out of sight of a checkpoint and of a search for anomalies, with random numbers of its own."""
    devices, graded = [] if device.type == "cpu" else [device], torch.is_grad_enabled()
    with (
        torch.inference_mode(False),  # which turns gradients on
        torch.set_grad_enabled(graded),
        saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor),
        torch.autograd.set_detect_anomaly(False),
        torch.random.fork_rng(devices, device_type=device.type),
        _without_cache(),
    ):
        yield


@contextmanager
def _without_cache() -> Iterator[None]:
    """Lets parametrized layers make their tensors anew for a while, of whatever these are made then."""
    caching = parametrize._cache_enabled
    parametrize._cache_enabled = 0
    try:
        yield
    finally:
        parametrize._cache_enabled = caching


def _alone(cell: Cell) -> Cell:
    """The cell, or a copy where it would have other tensors for a while, which another thread may read."""
    try:
        return cell if is_separable(cell) else deepcopy(cell)
    except Exception:  # whatever a stranger's attributes may not do
        return cell


def kernels_for(given: Tensor, state: State, width: int) -> Kernels | None:
    """The kernels that can be had, and pay.

    Args:
        given: What steps start from, ``(M, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        width: Of the cell's projected inputs.
    """
    kernels = KERNELS.get(given.device.type)
    rows = len(state[0]) if state else len(given)
    there = _triton() if kernels is Kernels.TRITON else pays(given.dtype, rows * width)
    return kernels if there else None


@cache
def _triton() -> bool:
    return find_spec("triton") is not None


def _compared(cell: Cell, z: Tensor, state: State, start: Start) -> Plan | None:
    try:
        settled(cell, z, state, start)
    except UntraceableError:
        raise
    except Exception:
        return None
    kernels, failed = kernels_for(z, state, z.shape[1]), None
    try:
        if kernels is not None:
            return _equal(cell, z, state, kernels, start)
    except DEVICE_ERRORS:
        raise
    except Exception as error:  # whatever a compiler may not do
        failed = error
    try:
        plan = _equal(cell, z, state, None, start)
    except (UntraceableError, *DEVICE_ERRORS):
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(_said(error)) from error
    if kernels is not None and failed is not None:
        name = type(cell).__name__
        warnings.warn(
            f"cell {name} is run without {kernels.value}, which is slower: "
            f"its {start.method} {_said(failed)}",
            NoKernelWarning,
            stacklevel=9,
        )
    return plan


def _in_c(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """A plan from the inputs; None where there is none."""
    try:
        return _equal(cell, x, state, Kernels.C, Start.INPUTS)
    except Exception:  # whatever; that of the step alone may do, or says what it is
        return None


def _equal(cell: Cell, z: Tensor, state: State, kernels: Kernels | None, start: Start) -> Plan:
    sizes = (
        SIZES_OF_NODES if start is Start.NODES else SIZES_OF_KERNELS if kernels is Kernels.TRITON else SIZES
    )
    try:
        plan = taken_apart(cell, z, state, kernels, start=start)
        _compare(plan, cell, z, state, sizes)
    except UntraceableError:  # numbers that are not finite, perhaps, as those of a memory that starts at -inf
        plan = taken_apart(cell, z, state, kernels, fuse=False, start=start)
        _compare(plan, cell, z, state, sizes)
    return plan


def _said(error: Exception) -> str:
    if isinstance(error, UntraceableError):
        return str(error)
    if isinstance(error, CompilerError):
        return f"cannot be compiled ({error})"
    return f"fails when it is taken apart ({type(error).__name__}: {error})"


def _compare(plan: Plan, cell: Cell, z: Tensor, state: State, sizes: Sequence[int]) -> None:
    """Refuses a plan that gives other numbers or gradients than the steps, from whatever state.

    What is zero at first, as a gate that opens later, hides what it is multiplied with: so not only with the
    cell's own tensors, and from any numbers at all. Of some of these the steps themselves make nothing
    certain, as where a memory is divided by a sum that is positive in use: then from what the cell comes to.
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
