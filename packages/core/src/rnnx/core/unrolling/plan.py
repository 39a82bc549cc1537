"""A cell's step taken apart, so that only what must be is done step by step.

The operations of a step and of its gradients are sorted:

* *constant*: what depends on the parameters alone, once a sequence;
* *ahead*: what depends on no state, once for the rows of all steps together;
* *forward*: what leads from the state before a step to that after it, without autograd, step by step, keeping
  what the rest needs;
* *after*: what nothing leads on from, an output that is no state above all, once for all steps;
* *turn*: what the way back reads and can be had before its first step, once for many steps;
* *backward*: what leads from the gradient at the state after a step to that before it, step by step;
* *late*: every other gradient, of the parameters above all, once for many steps.

So of Elman's step, ``h' = tanh(z + h U.T)``: constant is ``U.T``; forward are the product with ``h``, the sum
and the tanh, which keep ``h'``; backward are ``d = g (1 - h' h')``, of the gradient ``g`` at ``h'``, which is
handed on, and ``d U``, the gradient at ``h``; late is ``d.T h``, one product for all steps.

So the gradient of a matrix is one product with the rows of many steps, as in cuDNN's kernels, for any cell
that is a function of its row and its parameters; and of one whose gates need no past, the memory alone goes
along time. No length or number of rows is met anew, and no compiler is needed; where there is one, what goes
along time can be made with it, see :class:`Kernels`. Where all of that is in C, what is made by elements
beside it is too, *inside* the steps, where its numbers are at hand. Ahead, after, in turn and late are then
products, sums over rows, and what stands between two of these. Such a plan may start from the inputs, and
takes the cell's ``project`` apart with its step; every other one starts from what that makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, fx

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.functions import function_of
from rnnx.core.unrolling.kernels.c.groups import Group, grouped
from rnnx.core.unrolling.kernels.c.loops import TYPES
from rnnx.core.unrolling.kernels.c.native import Native
from rnnx.core.unrolling.kernels.c.products import measured
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError
from rnnx.core.unrolling.kernels.triton.kernel import Kernel
from rnnx.core.unrolling.kernels.triton.source import written
from rnnx.core.unrolling.operations import bare, fused, is_view
from rnnx.core.unrolling.origins import Origins, whole
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.trace import UntraceableError, settled, traced
from rnnx.core.unrolling.walks import Back, Forth, Once, Part, Walk


@final
class Kernels(Enum):
    """What is done step by step, as more than torch's operations.

    Attributes:
        TRITON: As Triton kernels that go along whole sequences.
        C: As functions in C, along whole sequences, or of what of a step can be.
    """

    TRITON = "a kernel of its own"
    C = "functions in C"


@final
class Form(NamedTuple):
    """What a row of a tensor is: its shape and its type."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def empty(self, rows: int, device: torch.device) -> Tensor:
        """Room for so many rows."""
        return torch.empty(rows, *self.shape, dtype=self.dtype, device=device)


@final
@dataclass(frozen=True)
class Plan:
    """The parts of a cell's step, as functions of tensors.

    What is read or filled of all steps has their rows one below the other.

    Attributes:
        start: What ``z`` is.
        constant: Of the cell's tensors: what depends on them alone.
        ahead: Of ``z`` and the constants: what forward reads, then what is held of it.
        forward: Forth, of ``z`` and what it reads, the state, the constants, and room for each of
            :attr:`kept`, which it fills: the new state.
        after: Of ``z``, the states before each step that :attr:`after_befores` names, what was kept and held,
            and the constants: ``y``, then what is held of what leads to it.
        turn: Of the gradient at ``y``, ``z``, the states that :attr:`turn_befores` names, what was kept and,
            both times, held, and the constants: what backward reads, then what late reads.
        backward: Back, of what it reads, the gradients at the new state, the constants, and room for each of
            :attr:`passed`, which it fills: the gradients at the state.
        late: Of what was passed, what it reads, the constants, and room for the gradient at ``z`` where it
            makes that: the gradients at the tensors, None where none is wanted; of several steps, their sum.
        read: The numbers of those of the cell's tensors that the step reads: what is meant by the tensors.
        dtypes: Of the state's tensors, the same before a step and after it.
        kept: The forms of what is kept of a step.
        passed: The forms of what backward hands on to late.
        to_z: Whether there is a gradient at ``z``.
        to_z_passed: Which of what is passed it is; None where it is none of that.
        after_befores: Of those states before a step that after reads: their position in the state, and in
            ``kept`` that of the state after it.
        turn_befores: And of those that turn reads.
        forward_reads: How many values forward reads.
        backward_reads: How many values backward reads.
        learns: Whether any gradient is wanted.
        differentiable: Of ``y`` and of the new state's tensors, whether a gradient at it leads to another.
        draws: Whether the step draws random numbers.
        separable: Whether the cell :func:`~rnnx.core.unrolling.substitution.is_separable`.
    """

    start: Start
    constant: Part
    ahead: Part
    forward: Walk
    after: Part
    turn: Part
    backward: Walk
    late: Part
    read: Sequence[int]
    dtypes: Sequence[torch.dtype]
    kept: Sequence[Form]
    passed: Sequence[Form]
    to_z: bool
    to_z_passed: int | None
    after_befores: Sequence[tuple[int, int]]
    turn_befores: Sequence[tuple[int, int]]
    forward_reads: int
    backward_reads: int
    learns: bool
    differentiable: Sequence[bool]
    draws: bool
    separable: bool = False


def taken_apart(
    cell: Cell,
    z: Tensor,
    state: State,
    kernels: Kernels | None = None,
    fuse: bool = True,
    start: Start = Start.PROJECTED,
) -> Plan:
    """The plan of a cell's step.

    One that starts from the inputs is quicker only where all of it but the products is in C, for what else is
    made of all rows at once is so too when they are projected before.

    Args:
        cell: The cell.
        z: Of the kind that will come, ``(N, P)``.
        state: Tensors ``(N, size)``; of nodes ``(N, K, size)``.
        kernels: As what that which is done step by step is written, where it can be.
        fuse: Whether some operations are made one, which is equal where all numbers are finite.
        start: What ``z`` is.

    Raises:
        UntraceableError: the step does what a plan cannot hold, or fails.
        UnwritableError: it is to start from the inputs and to be in C, and is not whole in it.
    """
    if kernels is Kernels.C and start is not Start.NODES:
        try:
            return _taken_apart(cell, z, state, kernels, fuse, start, inside=True)
        except UnwritableError:
            if start is Start.INPUTS:
                raise
    return _taken_apart(cell, z, state, kernels, fuse, start, inside=False)


def _taken_apart(
    cell: Cell, z: Tensor, state: State, kernels: Kernels | None, fuse: bool, start: Start, inside: bool
) -> Plan:
    try:
        dtypes = settled(cell, z, state, start)
        graph = traced(cell, z, state, dtypes, start)
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(f"fails when it is taken apart ({type(error).__name__}: {error})") from error
    if inside:
        graph = bare(graph)
    origins = Origins(graph, len(state), inside)
    if fuse:
        origins = Origins(fused(graph, origins.ahead | origins.loose), len(state), inside)
    return _Parts(origins, kernels, inside, start).plan(dtypes)


@final
class _Parts:
    """What is done when, of the operations of a traced step.

    Args:
        origins: The operations.
        kernels: Which are wanted.
        inside: Whether what is made by elements is made in the steps, wherever else it could be; these are
            then to be one kernel each way.
        start: What they start from; of nodes each is made by itself.
    """

    def __init__(self, origins: Origins, kernels: Kernels | None, inside: bool, start: Start) -> None:
        self.of, self.kernels, self.inside, self.start = origins, kernels, inside, start
        self.steps = self._steps()
        self.at_once = whole((origins.above([origins.y]) & origins.primal) - self.steps - origins.ahead)

    def _steps(self) -> set[fx.Node]:
        """What of the way forth is done step by step."""
        of = self.of
        to_y = of.above([of.y]) & of.primal
        last = [*of.after, *of.drawn, *(node for node in to_y if not of.is_alone(node))]
        if is_view(of.y):  # of what may be the user's
            last.append(of.y)
        steps = (of.above(last) & of.primal) - of.ahead
        if self.inside:
            others = to_y - steps - of.ahead
            steps |= others - of.below(others & of.products)
        return whole(steps)

    def _back(self) -> tuple[list[fx.Node], list[fx.Node], set[fx.Node]]:
        """Of the way back, what late is passed, what late reads besides, and what the steps read."""
        of = self.of
        leading = of.leading(of.to_state)
        if self.inside:
            others = of.leading([of.to_z, *of.to_tensors]) - of.loose
            leading |= others - of.below(n for n in others if n in of.products or not of.is_alone(n))
        late = of.readable(of.leading([of.to_z, *of.to_tensors]) - leading)
        steps = leading - of.loose
        there = steps | set(of.at[1:])
        gradients = (of.reads(late) | ({of.to_z, *of.to_tensors} & of.tangent)) - late
        read = (of.reads(of.readable(steps)) | (of.loose & {*of.to_state})) - there
        return of.ordered(gradients & there), of.ordered(gradients - there), read

    def _read_inside(self, read: set[fx.Node], late: Iterable[fx.Node]) -> set[fx.Node]:
        """What the steps back are given, if they make by elements themselves what they can."""
        of = self.of
        done = self.steps | of.ahead | self.at_once
        needed = of.sources([*read, *late], done)
        fixed = {of.y, *of.after} | of.sources(late, done)
        for node in reversed(of.ordered((needed & self.steps) - fixed)):
            if of.is_at_hand(node, (needed | of.ahead) - {node}):
                needed.remove(node)
        return of.sources(read, needed | of.ahead | self.at_once | of.loose)

    def _kept(self, stored: set[fx.Node]) -> list[fx.Node]:
        """What the way forth writes down of what later parts read, and the output, if it is made there."""
        of = self.of
        follows = dict(zip(of.step[1:], of.after, strict=True))
        kept = (stored & self.steps) | {follows[node] for node in stored & follows.keys()}
        made_at_once = of.y in of.ahead | self.at_once and not is_view(of.y)
        return of.ordered(kept if made_at_once else kept | {of.y})

    def plan(self, dtypes: Sequence[torch.dtype]) -> Plan:
        """The parts, as functions."""
        of = self.of
        z, *before = of.step
        constants = of.ordered(n for n in of.constant if any(user not in of.constant for user in n.users))
        passed, late_reads, read_back = self._back()
        backward_reads = of.ordered(self._read_inside(read_back, late_reads) if self.inside else read_back)
        made = self.steps | of.ahead
        for_turn = of.sources([*backward_reads, *late_reads], made | self.at_once)
        held_after = of.ordered(for_turn & self.at_once)
        for_after = of.sources([of.y, *held_after], made)
        kept = self._kept(for_after | for_turn)
        held = of.ordered((for_after | for_turn) & of.ahead)
        forward_reads = of.ordered((of.reads(self.steps) | {*of.after, *kept}) & of.ahead)
        after_befores, turn_befores = (
            [(place, kept.index(of.after[place])) for place, node in enumerate(before) if node in read]
            for read in (for_after, for_turn)
        )
        forward = self._walk(Roles([z, *forward_reads], before, constants, of.after, kept), reverse=False)
        backward = self._walk(Roles(backward_reads, of.at[1:], constants, of.to_state, passed), reverse=True)
        to_z_passed = passed.index(of.to_z) if of.to_z in passed else None
        made_late = [of.to_z] if isinstance(of.to_z, fx.Node) and to_z_passed is None else []
        return Plan(
            start=self.start,
            constant=self._function(of.tensors, constants),
            ahead=self._function([z, *constants], [*forward_reads, *held]),
            forward=forward,
            after=self._function(
                [z, *(before[place] for place, _ in after_befores), *kept, *held, *constants],
                [of.y, *held_after],
            ),
            turn=self._function(
                [
                    *(of.at[0], z, *(before[place] for place, _ in turn_befores)),
                    *(*kept, *held, *held_after, *constants),
                ],
                [*backward_reads, *late_reads],
            ),
            backward=backward,
            late=self._function([*passed, *late_reads, *constants], of.to_tensors, made_late),
            read=of.read,
            dtypes=dtypes,
            kept=[Form(node.meta["shape"], node.meta["dtype"]) for node in kept],
            passed=[Form(node.meta["shape"], node.meta["dtype"]) for node in passed],
            to_z=isinstance(of.to_z, fx.Node),
            to_z_passed=to_z_passed,
            after_befores=after_befores,
            turn_befores=turn_befores,
            forward_reads=len(forward_reads),
            backward_reads=len(backward_reads),
            learns=any(isinstance(node, fx.Node) for node in (of.to_z, *of.to_state, *of.to_tensors)),
            differentiable=[bool(node.users) for node in of.at],
            draws=bool(of.random),
        )

    def _walk(self, roles: Roles, reverse: bool) -> Walk:
        """What is done step by step, as one kernel where it can be had."""
        way = Once if self.start is Start.NODES else Back if reverse else Forth
        given, wanted = [*roles.rows, *roles.state, *roles.constants], [*roles.results, *roles.room]
        operations = self.of.ordered(self.of.above(wanted, given))
        try:
            if self.kernels is Kernels.TRITON and way is not Once:
                return Kernel(written(roles, reverse), reverse)
            if self.kernels is Kernels.C and way is not Once:
                read = {read for node in operations for read in node.all_input_nodes}
                constants = [node for node in roles.constants if node in read]
                return Native(roles._replace(constants=constants), roles.constants, reverse)
        except UnwritableError:
            if self.inside:
                raise
        if self.kernels is Kernels.C:
            work = grouped(operations, given, wanted, TYPES, measured())
            met = {matrix for some in work if isinstance(some, Group) for matrix in some.matrices}
            matrices = [node for node in roles.constants if node in met]
            try:
                part = function_of(work, given, roles.results, roles.room, matrices)
                return way(part, list(map(roles.constants.index, matrices)))
            except UnwritableError:
                pass
        return way(function_of(operations, given, roles.results, roles.room), [])

    def _function(
        self, given: Sequence[fx.Node], results: Sequence[Any], filled: Sequence[fx.Node] = ()
    ) -> Part:
        """What leads from some nodes to others."""
        operations = self.of.ordered(self.of.above([*results, *filled], given))
        return function_of(operations, given, results, filled)
