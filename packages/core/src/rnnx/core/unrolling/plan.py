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
products, sums over rows, and what stands between two of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import getitem, mul
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, fx

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.unrolling.functions import function_of
from rnnx.core.unrolling.kernels.columns import PRODUCTS
from rnnx.core.unrolling.kernels.groups import Group, grouped
from rnnx.core.unrolling.kernels.kernel import Kernel
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError
from rnnx.core.unrolling.kernels.loops import TYPES
from rnnx.core.unrolling.kernels.native import Native
from rnnx.core.unrolling.kernels.products import measured
from rnnx.core.unrolling.kernels.source import written
from rnnx.core.unrolling.operations import ATEN, draws, fused, is_view
from rnnx.core.unrolling.trace import UntraceableError, settled, traced
from rnnx.core.unrolling.walks import Back, Forth, Part, Walk


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
        draws: Whether the step draws random numbers.
        separable: Whether the cell :func:`~rnnx.core.unrolling.substitution.is_separable`.
    """

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
    draws: bool
    separable: bool = False


def taken_apart(
    cell: Cell,
    z: Tensor,
    state: State,
    kernels: Kernels | None = None,
    fuse: bool = True,
) -> Plan:
    """The plan of a cell's step.

    Args:
        cell: The cell.
        z: Of the kind that will come, ``(N, P)``.
        state: Tensors ``(N, size)``.
        kernels: As what that which is done step by step is written, where it can be.
        fuse: Whether some operations are made one, which is equal where all numbers are finite.

    Raises:
        UntraceableError: the step does what a plan cannot hold, or fails.
    """
    if kernels is Kernels.C:
        try:
            return _taken_apart(cell, z, state, kernels, fuse, inside=True)
        except UnwritableError:
            pass
    return _taken_apart(cell, z, state, kernels, fuse, inside=False)


def _taken_apart(
    cell: Cell, z: Tensor, state: State, kernels: Kernels | None, fuse: bool, inside: bool
) -> Plan:
    try:
        dtypes = settled(cell, z, state)
        graph = traced(cell, z, state, dtypes)
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(f"fails when it is taken apart ({type(error).__name__}: {error})") from error
    parts = _Parts(graph, len(state), kernels, inside)
    if fuse:
        parts = _Parts(fused(graph, parts.ahead | parts.loose), len(state), kernels, inside)
    return parts.plan(dtypes)


@final
class _Parts:
    """The operations of a traced step, sorted.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` gives it.
        states: How many tensors the state has.
        kernels: Which are wanted.
        inside: Whether what is made by elements is made in the steps, wherever else it could be; these are
            then to be one kernel each way.
    """

    def __init__(self, graph: fx.Graph, states: int, kernels: Kernels | None, inside: bool) -> None:
        self.kernels, self.inside = kernels, inside
        self.nodes = list(graph.nodes)
        self.places = {node: place for place, node in enumerate(self.nodes)}
        given = [node for node in self.nodes if node.op == "placeholder"]
        (results,) = self.nodes[-1].args
        assert isinstance(results, list)
        first = 1 + states
        self.step, self.at = given[:first], given[-first:]
        tensors = [(place, node) for place, node in enumerate(given[first:-first]) if node.users]
        self.read, self.tensors = [place for place, _ in tensors], [node for _, node in tensors]
        self.y, self.after = results[0], results[1:first]
        self.to_z, self.to_state = results[first], results[first + 1 : 2 * first]
        self.to_tensors = [results[2 * first + place] for place in self.read]
        self.rows = {node for node in self.nodes if node.target in (ATEN.sym_size.int, mul)}
        self.random = {node for node in self.nodes if draws(node)}
        self.constant, self.tangent = set(self.tensors), set(self.at)
        self.ahead: set[fx.Node] = set()  # depends on no state
        self.primal: set[fx.Node] = set()  # all of the step that is not constant
        self.loose: set[fx.Node] = set(self.at[:1])  # depends on the gradient at no state
        self.drawn: set[fx.Node] = set()  # depends on random numbers
        for node in self.nodes:
            if node.op == "call_function" and node not in self.rows:
                self._sort(node)
        self.products = {node for node in self.nodes if node.target in PRODUCTS}
        if inside:
            self.ahead &= self._above(self.ahead & self.products)
            self.loose &= {*self.at[:1], *self._above(self.loose & self.products)}

    def _sort(self, node: fx.Node) -> None:
        reads, alone = set(node.all_input_nodes), self._alone(node)
        if reads & self.tangent:
            self.tangent.add(node)
            if alone and reads & self.tangent <= self.loose:
                self.loose.add(node)
        elif node not in self.random and reads <= self.constant:
            self.constant.add(node)
        else:
            self.primal.add(node)
            if node in self.random or reads & self.drawn:
                self.drawn.add(node)
            elif alone and reads <= {self.step[0], *self.constant, *self.rows, *self.ahead}:
                self.ahead.add(node)

    def _alone(self, node: fx.Node) -> bool:
        """Whether each row of a value is made of one row."""
        return all(map(_by_rows, {node, *node.all_input_nodes} - self.constant - self.rows))

    def plan(self, dtypes: Sequence[torch.dtype]) -> Plan:
        """The parts."""
        z, *before = self.step
        constants = self._ordered(
            n for n in self.constant if any(user not in self.constant for user in n.users)
        )
        leading = self._leading(self.to_state)
        if self.inside:
            others = self._leading([self.to_z, *self.to_tensors]) - self.loose
            leading |= others - self._below(n for n in others if n in self.products or not self._alone(n))
        late = self._readable(
            (self._above([self.to_z, *self.to_tensors]) & self.tangent) - leading - set(self.at)
        )
        chain = leading - self.loose
        found = chain | set(self.at[1:])  # in the steps back
        gradients = {*self._reads(late), *({self.to_z, *self.to_tensors} & self.tangent)} - late
        passed = self._ordered(gradients & found)
        late_reads = self._ordered(gradients - found)
        read_back = {*self._reads(self._readable(chain)), *(self.loose & {*self.to_state})} - found

        steps = self._steps()
        at_once = _whole((self._above([self.y]) & self.primal) - steps - self.ahead)
        if self.inside:
            read_back = self._sources(read_back, steps | self.ahead | at_once | self.loose)
        backward_reads = self._ordered(read_back)
        for_turn = self._sources([*backward_reads, *late_reads], steps | self.ahead | at_once)
        held_after = self._ordered(for_turn & at_once)
        for_after = self._sources([self.y, *held_after], steps | self.ahead)
        stored = for_after | for_turn
        follows = dict(zip(before, self.after, strict=True))
        wanted = (stored & steps) | {follows[node] for node in stored & follows.keys()}
        made_at_once = self.y in self.ahead | at_once and not is_view(self.y)
        kept = self._ordered(wanted if made_at_once else wanted | {self.y})
        held = self._ordered(stored & self.ahead)
        forward_reads = self._ordered({*self._reads(steps), *self.after, *kept} & self.ahead)
        after_befores, turn_befores = (
            [(place, kept.index(self.after[place])) for place, node in enumerate(before) if node in read]
            for read in (for_after, for_turn)
        )
        forward = self._walk(Forth, Roles([z, *forward_reads], before, constants, self.after, kept))
        backward = self._walk(Back, Roles(backward_reads, self.at[1:], constants, self.to_state, passed))
        to_z_passed = passed.index(self.to_z) if self.to_z in passed else None
        made_late = [self.to_z] if isinstance(self.to_z, fx.Node) and to_z_passed is None else []
        return Plan(
            constant=self._function(self.tensors, constants),
            ahead=self._function([z, *constants], [*forward_reads, *held]),
            forward=forward,
            after=self._function(
                [z, *(before[place] for place, _ in after_befores), *kept, *held, *constants],
                [self.y, *held_after],
            ),
            turn=self._function(
                [
                    *(self.at[0], z, *(before[place] for place, _ in turn_befores)),
                    *(*kept, *held, *held_after, *constants),
                ],
                [*backward_reads, *late_reads],
            ),
            backward=backward,
            late=self._function([*passed, *late_reads, *constants], self.to_tensors, made_late),
            read=self.read,
            dtypes=dtypes,
            kept=[Form(node.meta["shape"], node.meta["dtype"]) for node in kept],
            passed=[Form(node.meta["shape"], node.meta["dtype"]) for node in passed],
            to_z=isinstance(self.to_z, fx.Node),
            to_z_passed=to_z_passed,
            after_befores=after_befores,
            turn_befores=turn_befores,
            forward_reads=len(forward_reads),
            backward_reads=len(backward_reads),
            learns=any(isinstance(node, fx.Node) for node in (self.to_z, *self.to_state, *self.to_tensors)),
            draws=bool(self.random),
        )

    def _walk(self, way: type[Forth | Back], roles: Roles) -> Walk:
        """What is done step by step, as one kernel where it can be had."""
        given, wanted = [*roles.rows, *roles.state, *roles.constants], [*roles.results, *roles.room]
        operations = self._ordered(self._above(wanted, given))
        try:
            if self.kernels is Kernels.TRITON:
                return Kernel(written(roles, way is Back), way is Back)
            if self.kernels is Kernels.C:
                read = {read for node in operations for read in node.all_input_nodes}
                constants = [node for node in roles.constants if node in read]
                return Native(roles._replace(constants=constants), roles.constants, way is Back)
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

    def _steps(self) -> set[fx.Node]:
        """What of the step is done step by step."""
        to_y = self._above([self.y]) & self.primal
        last = [*self.after, *self.drawn, *(node for node in to_y if not self._alone(node))]
        if is_view(self.y):  # of what may be the user's
            last.append(self.y)
        steps = (self._above(last) & self.primal) - self.ahead
        if self.inside:
            others = to_y - steps - self.ahead
            steps |= others - self._below(others & self.products)
        return _whole(steps)

    def _leading(self, results: Iterable[Any]) -> set[fx.Node]:
        """What leads from the given gradients to others."""
        return (self._above(results) & self.tangent) - set(self.at)

    def _below(self, roots: Iterable[fx.Node]) -> set[fx.Node]:
        """The nodes that come from these, themselves included."""
        found = set(roots)
        for node in self.nodes:
            if not found.isdisjoint(node.all_input_nodes):
                found.add(node)
        return found

    def _sources(self, results: Iterable[fx.Node], done: set[fx.Node]) -> set[fx.Node]:
        """What results are made of: of what is done already, and of the states; views of it left out."""
        found: set[fx.Node] = set()
        seen: set[fx.Node] = set()
        waiting = list(results)
        while waiting:
            node = waiting.pop()
            if node in done or node.op == "placeholder":
                found |= self._roots(node)
            elif node not in seen | self.constant | self.rows:
                seen.add(node)
                waiting += node.all_input_nodes
        return found

    def _readable(self, part: set[fx.Node]) -> set[fx.Node]:
        """With what it makes again.

        That is what has no row for each of the batch, as a matrix turned round; and what is left of one,
        which is quicker made than read.
        """
        part = set(part)
        while again := {node for node in self._reads(part) if _is_made_again(node)}:
            if again & self.random:
                raise UntraceableError("draws random numbers that are not a row's")
            part |= again
        return part

    def _roots(self, node: fx.Node) -> set[fx.Node]:
        """What a node is a view of: itself, if it is no view."""
        if node in self.constant or node in self.rows:
            return set()
        if node.op == "placeholder" or not is_view(node):
            return {node}
        roots = {root for read in node.all_input_nodes for root in self._roots(read)}
        return roots if all(root.meta.get("by_rows") for root in roots) else {node}

    def _ordered(self, nodes: Iterable[fx.Node]) -> list[fx.Node]:
        return sorted(nodes, key=self.places.__getitem__)

    def _above(self, roots: Iterable[Any], stop: Iterable[fx.Node] = ()) -> set[fx.Node]:
        """The nodes from which these come, themselves included, and nothing above ``stop``."""
        found: set[fx.Node] = set()
        waiting, stop = [root for root in roots if isinstance(root, fx.Node)], set(stop)
        while waiting:
            node = waiting.pop()
            if node not in found and node not in stop:
                found.add(node)
                waiting += [] if node.target is ATEN.sym_size.int else node.all_input_nodes
        return found

    def _reads(self, part: set[fx.Node]) -> list[fx.Node]:
        """What a part reads that is neither its own, nor constant, nor the number of rows."""
        reads = {read for node in part for read in node.all_input_nodes}
        return self._ordered(reads - part - self.constant - self.rows)

    def _function(
        self, given: Sequence[fx.Node], results: Sequence[Any], filled: Sequence[fx.Node] = ()
    ) -> Part:
        """What leads from some nodes to others."""
        operations = self._ordered(self._above([*results, *filled], given))
        return function_of(operations, given, results, filled)


def _is_made_again(node: fx.Node) -> bool:
    """Whether a value is made wherever it is read."""
    return not node.meta.get("by_rows") or node.target is ATEN.rsub.Scalar


def _by_rows(node: fx.Node) -> bool:
    """Whether a value, or all of several, has one row for each of the batch."""
    if "by_rows" in node.meta:
        return bool(node.meta["by_rows"])
    return node.op == "call_function" and all(map(_by_rows, node.users))


def _whole(part: set[fx.Node]) -> set[fx.Node]:
    """With all results of the operations that have several."""
    return part | {user for node in part for user in node.users if user.target is getitem}
