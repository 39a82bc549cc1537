"""Makes a cell's plan, and holds it against the readable way before it is used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Final, final

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils import parametrize

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxWarning
from rnnx.core.state import State
from rnnx.core.unrolling.kernels.c.compiler import CompilerError
from rnnx.core.unrolling.kernels.c.native import pays
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.substitution import called_with, copies_of, is_separable
from rnnx.core.unrolling.trace import UntraceableError, settled
from rnnx.core.unrolling.trial import compare

# How many rows run at each step of the sequences on which a plan is compared with the steps: of any, of nodes
# of trees, which are one step, and of kernels, which take several blocks of rows.
SIZES: Final = (4, 3, 3, 1)
SIZES_OF_NODES: Final = (4,)
SIZES_OF_KERNELS: Final = (20, 20, 17, 5, 5, 1)

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
        compare(plan, cell, z, state, sizes)
    except UntraceableError:  # numbers that are not finite, perhaps, as those of a memory that starts at -inf
        plan = taken_apart(cell, z, state, kernels, fuse=False, start=start)
        compare(plan, cell, z, state, sizes)
    return plan


def _said(error: Exception) -> str:
    if isinstance(error, UntraceableError):
        return str(error)
    if isinstance(error, CompilerError):
        return f"cannot be compiled ({error})"
    return f"fails when it is taken apart ({type(error).__name__}: {error})"
