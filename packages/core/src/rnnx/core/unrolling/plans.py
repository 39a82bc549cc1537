"""Which plan a cell is run by, and whether it may be."""

from __future__ import annotations

import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from threading import RLock
from typing import Any, Final, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils import parametrize

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxWarning
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.circumstances import exact, seed, watched
from rnnx.core.unrolling.fingerprint import fingerprint
from rnnx.core.unrolling.kernels.compiler import CompilerError
from rnnx.core.unrolling.kernels.native import pays
from rnnx.core.unrolling.plan import Kernels, Plan, taken_apart
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import called_with, copies_of, is_separable, named_tensors
from rnnx.core.unrolling.trace import UntraceableError, requirements, settled
from rnnx.core.unrolling.unrolled import unrolled
from rnnx.core.unrolling.versions import STEP

# How many rows run at each step of the sequences on which a plan is compared with the steps: of any, of nodes
# of trees, which are one step, and of kernels, which take several blocks of rows.
SIZES: Final = (4, 3, 3, 1)
SIZES_OF_NODES: Final = (4,)
SIZES_OF_KERNELS: Final = (20, 20, 17, 5, 5, 1)
PERTURBATION: Final = 0.1  # of the tensors, to see whether a plan holds for others too
TOLERANCE: Final = {torch.float64: 1e-9, torch.float32: 1e-3}  # of what is compared, relative to its largest
TOLERANCE_OF_16_BITS: Final = 0.1  # also where these lie on the way to a gradient of 32

KERNELS: Final = {"cuda": Kernels.TRITON, "cpu": Kernels.C}  # by the kind of device, where they can be had
DEVICE_ERRORS: Final = (torch.OutOfMemoryError, torch.AcceleratorError)  # which say nothing of a step
GATES: Final = 4  # about so many numbers does a cell make of each of its input
ENTRIES: Final = {Start.INPUTS: ("project", *STEP), Start.PROJECTED: STEP, Start.NODES: ("fold", *STEP)}
READABLE: Final = {Start.PROJECTED: ("step by step", "step"), Start.NODES: ("level by level", "fold")}

MOST_PLANS: Final = 256  # that are kept
MOST_COUNTS: Final = 16  # of children, each of which has a plan that takes some tenths of a second to make
MOST_GROUPS: Final = 2  # of a level, on average, that one by one take no longer than at once without plans
# A cell for which so many plans are made, one each other time that it is asked for, changes too often.
RESTLESS: Final = {Start.INPUTS: 4, Start.PROJECTED: 20, Start.NODES: 20}

_plans: OrderedDict[Hashable, Plan | None] = OrderedDict()
_refused: set[tuple[Start, Sequence[type]]] = set()
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
        made: How often there was none yet, and the cell was another than before.
        signature: What it was then.
        plan: Its plan.
    """

    asked: int = 0
    made: int = 0
    signature: tuple[Hashable, ...] = ()
    plan: Plan | None = None


_lasts: dict[Start, WeakKeyDictionary[Cell, _Last]] = {start: WeakKeyDictionary() for start in Start}


@final
class StepByStepWarning(RnnxWarning):
    """A cell is read more slowly than it might be."""


@final
class NoKernelWarning(RnnxWarning):
    """A cell is read without kernels, more slowly than it might be."""


def plan_from_inputs(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """The plan by which a cell reads inputs that it has not projected; None where they are to be first.

    There is one where all that the cell does, but products, can be in C. It is made and compared as any, see
    :func:`plan_of`; where it cannot be, nothing is said, as the step alone may have a plan.

    A cell with buffers has none: what ``project`` alone reads may be changed before the way back, as a mean
    that follows the inputs is, and a plan reads it again.

    Args:
        cell: The cell.
        x: Inputs, ``(M, input_size)``.
        state: Tensors ``(N, size)``.
    """
    kind = Start.INPUTS, tuple(map(type, cell.modules()))
    if kind in _refused or not _may_have_one(cell, x) or torch.is_autocast_enabled(x.device.type):
        return None
    if _kernels(x, state, GATES * x.shape[1]) is not Kernels.C or next(cell.buffers(), None) is not None:
        return None
    try:
        with _lock:
            return _kept(cell, x, state, Start.INPUTS)
    except UntraceableError:
        _refused.add(kind)
        return None


def plan_of(cell: Cell, z: Tensor, state: State, start: Start = Start.PROJECTED) -> Plan | None:
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
        z: Projected inputs, ``(M, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        start: Whether they are steps of sequences or nodes of trees.
    """
    kind = start, tuple(map(type, cell.modules()))
    if kind in _refused or not _may_have_one(cell, z):
        return None
    try:
        with _lock:
            return _kept(cell, z, state, start)
    except UntraceableError as error:
        _refused.add(kind)
        name, (way, method) = type(cell).__name__, READABLE[start]
        warnings.warn(
            f"cell {name} is run {way}, which is slower: its {method} {error}",
            StepByStepWarning,
            stacklevel=5,
        )
        return None


def plans_of_groups(cell: Cell, z: Tensor, trees: Trees, first: State) -> list[Plan] | None:
    """The plans by which a cell composes trees, one for each group of nodes; None where it is to do without.

    There are none for many groups, which one by one take longer; nor where a level has several and the cell
    draws random numbers, which it does for all of a level at once.

    Args:
        cell: The cell.
        z: The nodes' projected inputs, ``(M, P)``.
        trees: The trees.
        first: The cell's initial state, of any number of rows.
    """
    counts = sorted(set(trees.counts))
    several = len(trees.groups) / len(trees.sizes)
    if not first or len(counts) > MOST_COUNTS or several > MOST_GROUPS:
        return None
    plans: dict[int, Plan] = {}
    for count in counts:
        children = tuple(
            tensor.new_empty(1, 1, tensor.shape[1]).expand(len(z), count, -1) for tensor in first
        )
        plan = plan_of(cell, z, children, Start.NODES)
        if plan is None or (plan.draws and several > 1):
            return None
        plans[count] = plan
    alike = len({tuple(plan.dtypes) for plan in plans.values()}) == 1
    return [plans[count] for count in trees.counts] if alike else None


def _may_have_one(cell: Cell, given: Tensor) -> bool:
    """Whether a cell may be read by a plan as things are, of what its steps start from."""
    return not (watched() or _hooked(cell) or type(given) is not Tensor or given.is_meta)


def _kept(cell: Cell, z: Tensor, state: State, start: Start) -> Plan | None:
    """The plan that there is, or a new one."""
    signature, last = _signature(cell, z, state, start), _lasts[start].setdefault(cell, _Last())
    last.asked += 1
    if last.signature != signature:
        if signature not in _plans:
            if last.made > RESTLESS[start] and 2 * last.made >= last.asked:
                raise UntraceableError(
                    "depends on an attribute that changes from call to call; make it a buffer"
                )
            last.made += last.signature[:1] != signature[:1]  # made of something else
            _plans[signature] = _made(cell, z, state, start)
            if _signature(cell, z, state, start) != signature:
                raise UntraceableError("changes its own attributes")
            if len(_plans) > MOST_PLANS:
                _plans.popitem(last=False)
        _plans.move_to_end(signature)
        last.signature, last.plan = signature, _plans[signature]
    return last.plan


def _made(cell: Cell, z: Tensor, state: State, start: Start) -> Plan | None:
    """A plan that was compared; None where it fails without one too, and is to say so itself."""
    compared = _in_c if start is Start.INPUTS else partial(_compared, start=start)
    devices = [] if z.device.type == "cpu" else [z.device]
    alone = saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)  # out of a checkpoint's sight
    quietly = torch.autograd.set_detect_anomaly(False)
    graded = torch.set_grad_enabled(torch.is_grad_enabled())
    with (
        torch.inference_mode(False),
        graded,
        alone,
        quietly,
        torch.random.fork_rng(devices, device_type=z.device.type),
        _without_cache(),
    ):
        own = _alone(cell)
        plan = called_with(own, copies_of(own), lambda cell: compared(cell, z, state))
    return plan and replace(plan, separable=is_separable(cell))


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


def _compared(cell: Cell, z: Tensor, state: State, start: Start) -> Plan | None:
    try:
        settled(cell, z, state, start)
    except UntraceableError:
        raise
    except Exception:
        return None
    kernels, failed = _kernels(z, state, z.shape[1]), None
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
        name, (_, method) = type(cell).__name__, READABLE[start]
        warnings.warn(
            f"cell {name} is run without {kernels.value}, which is slower: its {method} {_said(failed)}",
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


def _kernels(given: Tensor, state: State, width: int) -> Kernels | None:
    """Those that can be had, and pay, of a cell whose projected inputs are so wide."""
    kernels = KERNELS.get(given.device.type)
    rows = len(state[0]) if state else len(given)
    there = _triton() if kernels is Kernels.TRITON else pays(given.dtype, rows * width)
    return kernels if there else None


@cache
def _triton() -> bool:
    return find_spec("triton") is not None


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
    cell's own tensors.
    """
    seed(z.device, 0)
    drawn = torch.randn(sum(sizes), z.shape[1]).to(z).requires_grad_(plan.learns and z.requires_grad)
    anywhere = tuple(torch.randn(sizes[0], *tensor.shape[1:]).to(tensor) for tensor in state)
    first = anywhere if plan.start is Start.NODES else cell.initial_state(sizes[0], drawn.detach())
    moved = {name: _moved(tensor) for name, tensor in copies_of(cell).items()}
    rounded = torch.is_autocast_enabled(z.device.type) or not exact()
    close = {} if rounded else TOLERANCE
    for tensors, before in (({}, first), ({}, anywhere), (moved, anywhere)):
        results = [
            called_with(cell, tensors, partial(_result, plan, way, z=drawn, sizes=sizes, state=before))
            for way in (partial(unrolled, plan), plan.start.read)
        ]
        for found, wanted in zip(*results, strict=True):
            scale = wanted.detach().abs().amax().float().nan_to_num(1.0).clamp(1.0, 1e30)
            near = close.get(wanted.dtype, TOLERANCE_OF_16_BITS) * float(scale)
            if not torch.allclose(found, wanted, rtol=0, atol=near, equal_nan=True):
                raise UntraceableError("gives other numbers when it is taken apart")


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


def _signature(cell: Cell, z: Tensor, state: State, start: Start) -> tuple[Hashable, ...]:
    """All that the operations of a plan can depend on, first of all the cell."""
    kind = z.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    read = tuple((tensor.shape[1:], tensor.dtype) for tensor in (z, *state))
    named = named_tensors(cell).values()
    tensors = tuple((tensor.shape, tensor.dtype) for tensor in named)
    wanted = tuple(requirements(z, state, named))
    ways = start, exact(), _kernels(z, state, z.shape[1]), torch.get_default_dtype()
    return fingerprint(cell, ENTRIES[start]), read, tensors, wanted, z.device, autocast, ways


def _hooked(cell: Cell) -> bool:
    return nn.modules.module._has_any_global_hook() or any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "step" in vars(module)
        or "fold" in vars(module)
        for module in cell.modules()
    )
