"""A cell's step taken apart, so that only what must be is done step by step.

The operations of a step and of its gradients are sorted. *Constant* is what depends on the parameters alone,
made once a sequence. The rest is, of each pass, the loop over time and what compilers call its prologue and
its epilogue:

* forward, *prologue*: what depends on no state, once for the rows of all steps together;
* *steps*: what leads from the state before a step to that after it, without autograd, step by step, keeping
  what the rest needs;
* *epilogue*: what nothing leads on from, an output that is no state above all, once for all steps;
* backward, *prologue*: what the others read and can be had before the first of them, once for many steps;
* *steps*: what leads from the gradient at the state after a step to that before it, step by step;
* *epilogue*: every other gradient, of the parameters above all, once for many steps.

So of Elman's step, ``h' = tanh(z + h U.T)``: constant is ``U.T``; the forward steps make the product with
``h``, the sum and the tanh, and keep ``h'``; the backward ones make ``d = g (1 - h' h')``, of the gradient
``g`` at ``h'``, which is handed on, and ``d U``, the gradient at ``h``; the backward epilogue is ``d.T h``,
one product for all steps.

So the gradient of a matrix is one product with the rows of many steps, as in cuDNN's kernels, for any cell
that is a function of its row and its parameters; and of one whose gates need no past, the memory alone goes
along time. No length or number of rows is met anew, and no compiler is needed; where there is one, what goes
along time can be made with it, see :class:`~rnnx.core.unrolling.sorting.Kernels`. Where all of that is in C,
what is made elementwise beside it is too, *inside* the steps, where its numbers are at hand. Prologues and
epilogues are then products, sums over rows, and what stands between two of these. Such a plan may start from
the inputs, and takes the cell's ``project`` apart with its step; every other one starts from what that makes
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.time_loop import Part, TimeLoop


@final
class Form(NamedTuple):
    """What a row of a tensor is: its shape and its type."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def empty(self, rows: int, device: torch.device) -> Tensor:
        """Room for so many rows."""
        return torch.empty(rows, *self.shape, dtype=self.dtype, device=device)


@final
class Previous(NamedTuple):
    """A state before each step: the first one, then that after the step before.

    Attributes:
        state: Its position in the state.
        kept: That of the state after each step in what is kept, there perhaps in another shape.
    """

    state: int
    kept: int


@final
@dataclass(frozen=True)
class Forward:
    """The forward pass, as functions of tensors.

    Attributes:
        prologue: Of ``z`` and the constants: what the steps read, and what is held of it.
        steps: Of ``z`` and what they read, the state, the constants, and room for each of :attr:`kept`, which
            they fill: the new state.
        kept: The forms of what is kept of a step.
        previous: The states before each step that the epilogue reads.
        epilogue: Of ``z``, these states, what is kept and held, and the constants: ``y``, and what is held of
            what leads to it.
    """

    prologue: Part
    steps: TimeLoop
    kept: Sequence[Form]
    previous: Sequence[Previous]
    epilogue: Part


@final
@dataclass(frozen=True)
class Backward:
    """The backward pass, as functions of tensors. What is saved is what is kept, then held, both times.

    Attributes:
        previous: The states before each step that the prologue reads.
        prologue: Of the gradient at ``y``, ``z``, these states, what is saved, and the constants: what the
            steps read, and what the epilogue reads.
        steps: Of what they read, the gradients at the new state, the constants, room for each of
            :attr:`passed`, and for the gradient at ``z`` if they make it, all of which they fill: the
            gradients at the state.
        passed: The forms of what the steps hand on to the epilogue.
        epilogue: Of what is passed, what it reads, the constants and, where there is one, the gradient at
            ``z``, or room that it fills with it: the gradients at the tensors, None where none is wanted; of
            several steps, their sum.
        to_z: Whether there is a gradient at ``z``.
        to_z_by_steps: Whether the steps make it.
    """

    previous: Sequence[Previous]
    prologue: Part
    steps: TimeLoop
    passed: Sequence[Form]
    epilogue: Part
    to_z: bool
    to_z_by_steps: bool


@final
@dataclass(frozen=True)
class Plan:
    """The parts of a cell's step. What they read or fill of all steps has its rows one below the other.

    Attributes:
        start: What ``z`` is.
        read: The numbers of those of the cell's tensors that the step reads: what is meant by the tensors.
        dtypes: Of the state's tensors, the same before a step and after it.
        constant: Of the tensors: what depends on them alone.
        forward: From ``z`` and the state to ``y`` and the new state.
        backward: From the gradients at these to those at ``z``, the state and the tensors.
        learns: Whether any gradient is wanted.
        differentiable: Of ``y`` and of the new state's tensors, whether a gradient at it leads to another.
        draws: Whether the step draws random numbers.
        separable: Whether the cell :func:`~rnnx.core.unrolling.substitution.is_separable`.
    """

    start: Start
    read: Sequence[int]
    dtypes: Sequence[torch.dtype]
    constant: Part
    forward: Forward
    backward: Backward
    learns: bool
    differentiable: Sequence[bool]
    draws: bool
    separable: bool = False
