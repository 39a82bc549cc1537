"""Sorts the operations of a step and of its gradients into the parts of a plan.

This is what is recorded of Elman's step,

    >>> import re
    >>> from torch import nn
    >>> class Elman(Cell):
    ...     input_size, output_size, state_sizes = 2, 2, (2,)
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.u = nn.Parameter(torch.eye(2))
    ...     def step(self, z, state):
    ...         h = torch.tanh(z + state[0] @ self.u.T)
    ...         return h, (h,)
    >>> cell, z, state = Elman(), torch.ones(3, 2, requires_grad=True), (torch.zeros(3, 2),)
    >>> graph = traced(cell, z, state, settled(cell, z, state))
    >>> for node in graph.nodes:
    ...     if node.op == "call_function":
    ...         print(node, list(node.args))
    t_default [cell_u]
    mm_default [state_0, t_default]
    add_tensor [z, mm_default]
    tanh_default [add_tensor]
    add_tensor_1 [at_y, at_state_0]
    tanh_backward_default [add_tensor_1, tanh_default]
    t_default_1 [tanh_backward_default]
    mm_default_1 [t_default_1, state_0]
    mm_default_2 [tanh_backward_default, cell_u]

and these are the parts of its :mod:`~rnnx.core.unrolling.plan` that make something of that, as torch.fx
writes them:

    >>> def show(part):
    ...     left_out = ";.*|_default|torch.ops.aten.|rnnx_core_nets_products_"
    ...     print(re.sub(left_out, "", part.__self__.code).strip())
    >>> plan = taken_apart(cell, z, state)
    >>> show(plan.constant)
    def forward(self, cell_u):
        t = t.default(cell_u)
        return (cell_u, t)
    >>> show(plan.forward.steps.part)
    def forward(self, z, state_0, cell_u, t, room_for_tanh):
        addmm = addmm(z, state_0, t)
        tanh = torch.tanh(addmm, out = room_for_tanh)
        return (tanh,)
    >>> show(plan.backward.steps.part)
    def forward(self, at_y, tanh, at_state_0, cell_u, t, room_for_tanh_backward):
        add_tensor_1 = torch.add(at_y, at_state_0)
        tanh_backward = tanh_backward.grad_input(add_tensor_1, tanh, grad_input = room_for_tanh_backward)
        mm_2 = mm(tanh_backward, cell_u)
        return (mm_2,)
    >>> show(plan.backward.epilogue)
    def forward(self, state_0, cell_u, t, tanh_backward):
        t_1 = t.default(tanh_backward)
        mm_1 = mm(t_1, state_0)
        return (mm_1,)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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
from rnnx.core.unrolling.operations import bare, fused, is_view, unshaped
from rnnx.core.unrolling.plan import Backward, Form, Forward, Plan, Previous
from rnnx.core.unrolling.step_graph import StepGraph, whole
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.time_loop import Backwards, Forwards, Once, Part, TimeLoop
from rnnx.core.unrolling.trace import UntraceableError, settled, traced


@final
class Kernels(Enum):
    """What is done step by step, as more than torch's operations.

    Attributes:
        TRITON: As Triton kernels that go along whole sequences.
        C: As functions in C, along whole sequences, or of what of a step can be.
    """

    TRITON = "a kernel of its own"
    C = "functions in C"


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
        recorded = traced(cell, z, state, dtypes, start)
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(f"fails when it is taken apart ({type(error).__name__}: {error})") from error
    if inside:
        recorded = bare(recorded)
    graph = StepGraph(recorded, len(state), inside)
    if fuse:
        graph = StepGraph(fused(recorded, graph.ahead | graph.from_y), len(state), inside)
    return _Sorter(graph, kernels, inside, start).plan(dtypes)


@final
class _Passed(NamedTuple):
    """What the parts of the backward pass hand to one another.

    Attributes:
        to_steps: From the prologue to the steps.
        by_steps: From the steps to the epilogue, or to those who asked for gradients.
        to_epilogue: From the prologue to these.
    """

    to_steps: Sequence[fx.Node]
    by_steps: Sequence[fx.Node]
    to_epilogue: Sequence[fx.Node]


@final
class _Saved(NamedTuple):
    """What is saved of the forward pass.

    Attributes:
        kept: What the steps fill.
        ahead: What is held of what is made before them.
        after: And of what is made after them.
        for_epilogue: Of the states before a step, those that its epilogue reads.
        for_backward: And those that the prologue of the backward pass reads.
    """

    kept: Sequence[fx.Node]
    ahead: Sequence[fx.Node]
    after: Sequence[fx.Node]
    for_epilogue: Sequence[fx.Node]
    for_backward: Sequence[fx.Node]


@final
class _Sorter:
    """Sorts the nodes of a step's graph into the parts of a plan.

    A part does what leads from what it is given to what it makes, and no more. So it is found which nodes are
    made step by step, in both passes; what crosses from part to part in the backward pass; what is saved for
    that of the forward pass; and from these lists come the functions.

    Args:
        graph: The step's.
        kernels: Which are wanted.
        inside: Whether what is made elementwise is made in the steps, wherever else it could be; these are
            then to be one kernel each way.
        start: What they start from; of nodes each is made by itself.
    """

    def __init__(self, graph: StepGraph, kernels: Kernels | None, inside: bool, start: Start) -> None:
        self.graph, self.kernels, self.inside, self.start = graph, kernels, inside, start
        self.constants = graph.ordered(
            node for node in graph.constant if any(user not in graph.constant for user in node.users)
        )
        self.steps = self._steps()
        self.after = whole((graph.above([graph.y]) & graph.primal) - self.steps - graph.ahead)

    def plan(self, dtypes: Sequence[torch.dtype]) -> Plan:
        """The parts, as functions."""
        graph = self.graph
        passed = self._passed()
        saved = self._saved(passed)
        return Plan(
            start=self.start,
            read=graph.read,
            dtypes=dtypes,
            constant=self._function(graph.tensors, self.constants),
            forward=self._forward(saved),
            backward=self._backward(passed, saved),
            learns=any(node is not None for node in (graph.to_z, *graph.to_state, *graph.to_tensors)),
            differentiable=[bool(node.users) for node in (graph.at_y, *graph.at_new_state)],
            draws=bool(graph.random),
        )

    def _steps(self) -> set[fx.Node]:
        """What of the forward pass is made step by step: what a state needs, is drawn, or mixes rows."""
        graph = self.graph
        to_y = graph.above([graph.y]) & graph.primal
        last = [*graph.new_state, *graph.drawn, *(node for node in to_y if not graph.is_row_by_row(node))]
        if is_view(graph.y):  # of what may be the user's
            last.append(graph.y)
        steps = (graph.above(last) & graph.primal) - graph.ahead
        return whole(steps | self._left_to_steps(to_y - steps - graph.ahead))

    def _left_to_steps(self, nodes: set[fx.Node]) -> set[fx.Node]:
        """What of nodes the steps make, though they could be made of all steps at once.

        It is what comes from none that is worth that; so it is nothing where all are.
        """
        graph = self.graph
        return nodes - graph.below(
            node for node in nodes if node in graph.at_once or not graph.is_row_by_row(node)
        )

    def _passed(self) -> _Passed:
        """Sorts the backward pass into prologue, steps and epilogue, from its end."""
        graph = self.graph
        wanted = {graph.to_z, *graph.to_tensors} & graph.cotangent
        to_state, to_others = graph.leading(graph.to_state), graph.leading(wanted)
        to_state |= self._left_to_steps(to_others - graph.from_y)
        epilogue, steps = graph.with_remade(to_others - to_state), to_state - graph.from_y
        made = steps | {*graph.at_new_state}
        epilogue_reads = (graph.reads(epilogue) | wanted) - epilogue
        read = (graph.reads(graph.with_remade(steps)) | (graph.from_y & {*graph.to_state})) - made
        others = graph.ordered(epilogue_reads - made)
        if self.inside:
            read = self._not_remade(read, others)
        return _Passed(graph.ordered(read), graph.ordered(epilogue_reads & made), others)

    def _not_remade(self, read: set[fx.Node], others: Iterable[fx.Node]) -> set[fx.Node]:
        """What the backward steps are given, if they make elementwise themselves what they can."""
        graph = self.graph
        done = self.steps | graph.ahead | self.after
        needed = graph.sources([*read, *others], done)
        fixed = {graph.y, *graph.new_state} | graph.sources(others, done)
        for node in reversed(graph.ordered((needed & self.steps) - fixed)):
            if graph.can_be_remade(node, (needed | graph.ahead) - {node}):
                needed.remove(node)
        return graph.sources(read, needed | graph.ahead | self.after | graph.from_y)

    def _saved(self, passed: _Passed) -> _Saved:
        """What is saved for the backward pass, and for the epilogue of the forward pass."""
        graph = self.graph
        made = self.steps | graph.ahead
        for_backward = graph.sources([*passed.to_steps, *passed.to_epilogue], made | self.after)
        held_after = graph.ordered(for_backward & self.after)
        for_epilogue = graph.sources([graph.y, *held_after], made)
        return _Saved(
            kept=self._kept(for_epilogue | for_backward),
            ahead=graph.ordered((for_epilogue | for_backward) & graph.ahead),
            after=held_after,
            for_epilogue=[node for node in graph.state if node in for_epilogue],
            for_backward=[node for node in graph.state if node in for_backward],
        )

    def _kept(self, saved: set[fx.Node]) -> list[fx.Node]:
        """What the steps fill: what is saved of them, and the output, if they make it."""
        graph = self.graph
        follows = dict(zip(graph.state, graph.new_state, strict=True))
        kept = saved & self.steps
        kept |= {_held_by(follows[node], kept) for node in saved & follows.keys()}
        made_at_once = graph.y in graph.ahead | self.after and not is_view(graph.y)
        return graph.ordered(kept if made_at_once else kept | {graph.y})

    def _forward(self, saved: _Saved) -> Forward:
        graph, constants = self.graph, self.constants
        read = graph.ordered((graph.reads(self.steps) | {*graph.new_state, *saved.kept}) & graph.ahead)
        roles = Roles([graph.z, *read], graph.state, constants, graph.new_state, saved.kept)
        return Forward(
            prologue=self._function([graph.z, *constants], [read, saved.ahead]),
            steps=self._time_loop(roles, reverse=False),
            kept=_forms(saved.kept),
            previous=self._previous(saved.for_epilogue, saved.kept),
            epilogue=self._function(
                [graph.z, *saved.for_epilogue, *saved.kept, *saved.ahead, *constants], [graph.y, saved.after]
            ),
        )

    def _backward(self, passed: _Passed, saved: _Saved) -> Backward:
        graph, constants = self.graph, self.constants
        to_z: list[fx.Node] = [] if graph.to_z is None else [graph.to_z]
        by_steps, by_epilogue = (to_z, []) if graph.to_z in passed.by_steps else ([], to_z)
        handed = [node for node in passed.by_steps if node not in to_z]
        roles = Roles(passed.to_steps, graph.at_new_state, constants, graph.to_state, [*handed, *by_steps])
        there = [*saved.for_backward, *saved.kept, *saved.ahead, *saved.after, *constants]
        return Backward(
            previous=self._previous(saved.for_backward, saved.kept),
            prologue=self._function([graph.at_y, graph.z, *there], [passed.to_steps, passed.to_epilogue]),
            steps=self._time_loop(roles, reverse=True),
            passed=_forms(handed),
            epilogue=self._function(
                [*handed, *passed.to_epilogue, *constants, *by_steps], graph.to_tensors, by_epilogue
            ),
            to_z=bool(to_z),
            to_z_by_steps=bool(by_steps),
        )

    def _previous(self, states: Sequence[fx.Node], kept: Sequence[fx.Node]) -> list[Previous]:
        """Where states before each step are found."""
        places = map(self.graph.state.index, states)
        return [Previous(place, kept.index(_held_by(self.graph.new_state[place], kept))) for place in places]

    def _time_loop(self, roles: Roles, reverse: bool) -> TimeLoop:
        """What is made step by step: as one kernel, else with functions in C, else by torch's operations."""
        kernel = None if self.start is Start.NODES else self._kernel(roles, reverse)
        return self._stepwise(roles, reverse) if kernel is None else kernel

    def _kernel(self, roles: Roles, reverse: bool) -> TimeLoop | None:
        """One kernel along all steps; None where there is none, or not all can be written as one."""
        try:
            if self.kernels is Kernels.TRITON:
                return Kernel(written(roles, reverse), reverse)
            if self.kernels is Kernels.C:
                read = {read for node in self._operations(roles) for read in node.all_input_nodes}
                constants = [node for node in roles.constants if node in read]
                return Native(roles._replace(constants=constants), roles.constants, reverse)
        except UnwritableError:
            if self.inside:
                raise
        return None

    def _stepwise(self, roles: Roles, reverse: bool) -> TimeLoop:
        """A function that is called at each step."""
        way = Once if self.start is Start.NODES else Backwards if reverse else Forwards
        operations, given = self._operations(roles), roles.given
        if self.kernels is Kernels.C:
            work = grouped(operations, given, roles.made, TYPES, measured())
            met = {matrix for some in work if isinstance(some, Group) for matrix in some.matrices}
            matrices = [node for node in roles.constants if node in met]
            try:
                part = function_of(work, given, roles.results, roles.room, matrices)
                return way(part, list(map(roles.constants.index, matrices)))
            except UnwritableError:
                pass
        return way(function_of(operations, given, roles.results, roles.room), [])

    def _operations(self, roles: Roles) -> list[fx.Node]:
        """Those of a step."""
        return self.graph.ordered(self.graph.above(roles.made, roles.given))

    def _function(
        self, given: Sequence[fx.Node], results: Sequence[Any], filled: Sequence[fx.Node] = ()
    ) -> Part:
        """What leads from some nodes to others."""
        wanted: list[fx.Node] = []
        fx.node.map_arg([list(results), list(filled)], wanted.append)
        return function_of(self.graph.ordered(self.graph.above(wanted, given)), given, results, filled)


def _held_by(state: fx.Node, kept: Collection[fx.Node]) -> fx.Node:
    """What holds a new state: what is kept anyway and differs in shape alone, as a matrix; else itself."""
    shown = unshaped(state)
    return shown if shown in kept else state


def _forms(nodes: Sequence[fx.Node]) -> list[Form]:
    return [Form(node.meta["shape"], node.meta["dtype"]) for node in nodes]
