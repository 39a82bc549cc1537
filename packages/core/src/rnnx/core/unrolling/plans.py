"""Which plan a cell is run by, and whether it may be: those that were made are kept."""

from __future__ import annotations

import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Final, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxWarning
from rnnx.core.state import State
from rnnx.core.trees import Trees
from rnnx.core.unrolling.circumstances import exact, watched
from rnnx.core.unrolling.fingerprint import fingerprint
from rnnx.core.unrolling.making import kernels_for, make_plan
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import named_tensors
from rnnx.core.unrolling.trace import UntraceableError, requirements
from rnnx.core.unrolling.versions import STEP

GATES: Final = 4  # about so many numbers does a cell make of each of its input
ENTRIES: Final = {Start.INPUTS: ("project", *STEP), Start.PROJECTED: STEP, Start.NODES: ("fold", *STEP)}
READABLE: Final = {Start.PROJECTED: "step by step", Start.NODES: "level by level"}

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


def plan_from_inputs(cell: Cell, x: Tensor, state: State) -> Plan | None:
    """The plan by which a cell reads inputs that it has not projected; None where they are to be first.

    There is one where all that the cell does, but products, can be in C. It is made and compared as any, see
    :func:`plan_of`; where it cannot be, nothing is said, as the step alone may have a plan.

    A cell with buffers has none: what ``project`` alone reads may be changed before the backward pass, as a
    mean that follows the inputs is, and a plan reads it again.

    Args:
        cell: The cell.
        x: Inputs, ``(M, input_size)``.
        state: Tensors ``(N, size)``.
    """
    kind = Start.INPUTS, tuple(map(type, cell.modules()))
    if kind in _refused or not _may_have_one(cell, x) or torch.is_autocast_enabled(x.device.type):
        return None
    if kernels_for(x, state, GATES * x.shape[1]) is not Kernels.C or next(cell.buffers(), None) is not None:
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
        name = type(cell).__name__
        warnings.warn(
            f"cell {name} is run {READABLE[start]}, which is slower: its {start.method} {error}",
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
            _plans[signature] = make_plan(cell, z, state, start)
            if _signature(cell, z, state, start) != signature:
                raise UntraceableError("changes its own attributes")
            if len(_plans) > MOST_PLANS:
                _plans.popitem(last=False)
        _plans.move_to_end(signature)
        last.signature, last.plan = signature, _plans[signature]
    return last.plan


def _signature(cell: Cell, z: Tensor, state: State, start: Start) -> tuple[Hashable, ...]:
    """All that the operations of a plan can depend on, first of all the cell."""
    kind = z.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    read = tuple((tensor.shape[1:], tensor.dtype) for tensor in (z, *state))
    named = named_tensors(cell).values()
    tensors = tuple((tensor.shape, tensor.dtype) for tensor in named)
    wanted = tuple(requirements(z, state, named))
    ways = start, exact(), kernels_for(z, state, z.shape[1]), torch.get_default_dtype()
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
