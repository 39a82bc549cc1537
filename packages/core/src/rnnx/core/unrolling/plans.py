"""Which plan a cell is run by, and whether it may be."""

from __future__ import annotations

import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from threading import RLock
from typing import Final, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxWarning
from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import exact, seed, watched
from rnnx.core.unrolling.frozen import frozen
from rnnx.core.unrolling.kernels.compiler import CompilerError
from rnnx.core.unrolling.kernels.native import pays
from rnnx.core.unrolling.plan import Kernels, Plan, taken_apart
from rnnx.core.unrolling.steps import Start, step_by_step
from rnnx.core.unrolling.substitution import called_with, copies_of, is_separable, named_tensors
from rnnx.core.unrolling.trace import UntraceableError, requirements, settled
from rnnx.core.unrolling.unrolled import unrolled

SIZES: Final = (4, 3, 3, 1)  # of the sequences on which a plan is compared with the steps
MORE: Final = (20, 20, 17, 5, 5, 1)  # and one of kernels, of which each has a block of rows
CLOSE: Final = {torch.float64: 1e-9, torch.float32: 1e-3}  # of their values, to the largest
HALF: Final = 0.1  # where there are 16 bits, also on the way to a gradient of 32

KERNELS: Final = {"cuda": Kernels.TRITON, "cpu": Kernels.C}  # of a kind of device, where they can be had

LOST: Final = (torch.OutOfMemoryError, torch.AcceleratorError)  # which say nothing of a step

MOVE: Final = 0.1  # how far tensors are moved to see whether a plan holds for others too

MOST: Final = 256  # plans that are kept
RESTLESS: Final = 20  # plans of one cell that are made if every other time it is asked for there is none

_plans: OrderedDict[Hashable, Plan | None] = OrderedDict()
_refused: set[Hashable] = set()
_lock = RLock()


def _renew() -> None:
    """In a process that was forked, no other thread holds the lock."""
    global _lock
    _lock = RLock()


if sys.platform != "win32":  # which has no fork
    os.register_at_fork(after_in_child=_renew)


@final
@dataclass
class _Last:
    """What a cell was run by when it was last asked for, so that it is not looked for among all.

    Attributes:
        asked: How often it was asked for.
        made: How often there was none yet.
        signature: What it was then.
        plan: Its plan.
    """

    asked: int = 0
    made: int = 0
    signature: Hashable = None
    plan: Plan | None = None


_lasts: WeakKeyDictionary[Cell, _Last] = WeakKeyDictionary()


@final
class StepByStepWarning(RnnxWarning):
    """A cell is read more slowly than it might be."""


@final
class NoKernelWarning(RnnxWarning):
    """A cell is read without kernels, more slowly than it might be."""


def plan_of(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """The plan by which a cell reads such data; None where its steps are to be taken one by one.

    A plan is made when a cell is first met with data of a kind: of these widths, types and device, with these
    options, in training or evaluation, under autocast or not. It is then compared with the steps. Where it
    differs or cannot be made, a warning says so once, and cells of that class go step by step. On a GPU a
    plan is first made with kernels, and where they fail without them, which a warning says too.

    A cell with hooks within, or with a step of its own instead of its class's, goes step by step without a
    word, so that they are called; so does one within
    ``torch.func``'s transformations, forward-mode differentiation and ``torch.compile``.

    Args:
        cell: The cell.
        x: Inputs, ``(M, input_size)``.
        state: Tensors ``(N, size)``.
    """
    if _hooked(cell) or watched() or type(x) is not Tensor or x.is_meta:
        return None
    kind = tuple(map(type, cell.modules()))
    if kind in _refused:
        return None
    try:
        with _lock:
            return _kept(cell, x, state)
    except UntraceableError as error:
        _refused.add(kind)
        name = type(cell).__name__
        warnings.warn(
            f"cell {name} is run step by step, which is slower: its step {error}",
            StepByStepWarning,
            stacklevel=5,
        )
        return None


def _kept(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """The plan that there is, or a new one."""
    signature, last = _signature(cell, x, state), _lasts.setdefault(cell, _Last())
    last.asked += 1
    if last.signature != signature:
        if signature not in _plans:
            if last.made > RESTLESS and 2 * last.made >= last.asked:
                raise UntraceableError(
                    "depends on an attribute that changes from call to call; make it a buffer"
                )
            last.made += 1
            _plans[signature] = _made(cell, x, state)
            if _signature(cell, x, state) != signature:
                raise UntraceableError("changes its own attributes")
            if len(_plans) > MOST:
                _plans.popitem(last=False)
        _plans.move_to_end(signature)
        last.signature, last.plan = signature, _plans[signature]
    return last.plan


def _made(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """A plan that was compared; None where the step fails without one too, and is to say so itself."""
    devices = [] if x.device.type == "cpu" else [x.device]
    alone = saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)  # out of a checkpoint's sight
    graded = torch.set_grad_enabled(torch.is_grad_enabled())
    with (
        torch.inference_mode(False),
        graded,
        alone,
        torch.random.fork_rng(devices, device_type=x.device.type),
    ):
        own = _alone(cell)
        like = x.new_zeros(1, x.shape[1]).requires_grad_(x.requires_grad)
        plan = called_with(own, copies_of(own), lambda cell: _compared(cell, like, state))
    return plan and replace(plan, separable=is_separable(cell))


def _alone(cell: Cell) -> Cell:
    """The cell, or a copy where it would have other tensors for a while, which another thread may read."""
    try:
        return cell if is_separable(cell) else deepcopy(cell)
    except Exception:  # whatever a stranger's attributes may not do
        return cell


def _compared(cell: Cell, x: Tensor, state: State) -> Plan | None:
    plan = _from_inputs(cell, x, state)
    if plan is not None:
        return plan
    try:
        z = cell.project(x)
        z = z.detach().requires_grad_(z.requires_grad)
        settled(cell, z, state)
    except UntraceableError:
        raise
    except Exception:
        return None
    kernels, failed = _kernels(x, state), None
    try:
        if kernels is not None:
            return _equal(cell, z, state, kernels)
    except LOST:
        raise
    except Exception as error:  # whatever a compiler may not do
        failed = error
    try:
        plan = _equal(cell, z, state, None)
    except (UntraceableError, *LOST):
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(_said(error)) from error
    if kernels is not None and failed is not None:
        name = type(cell).__name__
        warnings.warn(
            f"cell {name} is run without {kernels.value}, which is slower: its step {_said(failed)}",
            NoKernelWarning,
            stacklevel=9,
        )
    return plan


def _from_inputs(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """A plan that starts from the inputs, where all of it but the products is in C; else None."""
    kernels = _kernels(x, state)
    if kernels is not Kernels.C or torch.is_autocast_enabled(x.device.type):
        return None
    try:
        return _equal(cell, x, state, kernels, Start.INPUTS)
    except Exception:  # whatever; that which starts from what is projected may do, or says what it is
        return None


def _kernels(x: Tensor, state: State) -> Kernels | None:
    """Those that can be had, and pay."""
    kernels = KERNELS.get(x.device.type)
    rows = len(state[0]) if state else len(x)
    there = _triton() if kernels is Kernels.TRITON else pays(x.dtype, rows * x.shape[1])
    return kernels if there else None


@cache
def _triton() -> bool:
    return find_spec("triton") is not None


def _equal(
    cell: Cell, z: Tensor, state: State, kernels: Kernels | None, start: Start = Start.PROJECTED
) -> Plan:
    sizes = MORE if kernels is Kernels.TRITON else SIZES
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
    cell's own tensors.
    """
    seed(z.device, 0)
    drawn = torch.randn(sum(sizes), z.shape[1]).to(z).requires_grad_(plan.learns and z.requires_grad)
    anywhere = tuple(torch.randn(sizes[0], tensor.shape[1]).to(tensor) for tensor in state)
    first = cell.initial_state(sizes[0], drawn.detach())
    moved = {name: _moved(tensor) for name, tensor in copies_of(cell).items()}
    rounded = torch.is_autocast_enabled(z.device.type) or not exact()
    close = {} if rounded else CLOSE
    for tensors, before in (({}, first), ({}, anywhere), (moved, anywhere)):
        results = [
            called_with(
                cell, tensors, partial(_result, plan, z=drawn, sizes=sizes, state=before, planned=planned)
            )
            for planned in (True, False)
        ]
        for found, wanted in zip(*results, strict=True):
            scale = wanted.detach().abs().amax().nan_to_num(1.0).clamp(1.0, 1e30)
            near = close.get(wanted.dtype, HALF) * float(scale)
            if not torch.allclose(found, wanted, rtol=0, atol=near, equal_nan=True):
                raise UntraceableError("gives other numbers when it is taken apart")


def _moved(tensor: Tensor) -> Tensor:
    """A parameter or buffer a little elsewhere."""
    if not tensor.is_floating_point():
        return tensor
    noise = MOVE * torch.randn(tensor.shape).to(tensor)
    return (tensor.detach() + noise).requires_grad_(tensor.requires_grad)


def _result(
    plan: Plan, cell: Cell, z: Tensor, sizes: Sequence[int], state: State, planned: bool
) -> Sequence[Tensor]:
    """Outputs, the last state, and where they are wanted gradients."""
    state = tuple(
        t.detach().to(d).requires_grad_(plan.learns) for t, d in zip(state, plan.dtypes, strict=True)
    )
    seed(z.device, 1)
    if planned:
        y, last = unrolled(plan, cell, z, sizes, state)
    else:
        y, last = step_by_step(cell.step, plan.start.projected(cell, z), sizes, state)
    of = [tensor for tensor in (z, *state, *named_tensors(cell).values()) if tensor.requires_grad]
    return [y, *last, *_gradients((y, *last), of if plan.learns else [])]


def _gradients(outputs: Sequence[Tensor], of: Sequence[Tensor]) -> Sequence[Tensor]:
    if not of:
        return []
    total = torch.stack([output.double().square().sum() for output in outputs if output.requires_grad]).sum()
    return torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)


def _signature(cell: Cell, x: Tensor, state: State) -> Hashable:
    """All that the operations of a step, and of what it starts from, can depend on."""
    kind = x.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    read = tuple((tensor.shape[1], tensor.dtype) for tensor in (x, *state))
    named = named_tensors(cell).values()
    tensors = tuple((tensor.shape, tensor.dtype) for tensor in named)
    wanted = tuple(requirements(x, state, named))
    ways = exact(), _kernels(x, state), torch.get_default_dtype()
    return frozen(cell), read, tensors, wanted, x.device, autocast, ways


def _hooked(cell: Cell) -> bool:
    return nn.modules.module._has_any_global_hook() or any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "step" in vars(module)
        for module in cell.modules()
    )
