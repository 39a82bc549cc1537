"""A cell's step taken apart, so that of its backward pass only what must be is done step by step.

The operations of a step and of its gradients are sorted:

* *constant*: what depends on the parameters alone, once a sequence;
* *forward*: the step itself, without autograd, keeping what the rest needs;
* *views*: what the rest needs and is only another view of what is kept, once for all steps;
* *backward*: what leads from the gradient at the state after a step to that before it, step by step;
* *late*: every other gradient, of the parameters above all, once for the rows of all steps together.

So the gradient of a matrix is one product with the rows of a whole sequence, as in cuDNN's kernels, for any
cell that is a function of its row and its parameters. Nothing is compiled, and no length or number of rows is
met anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor, fx

from rnnx.core.cell import Cell
from rnnx.core.operations import ATEN, draws, fused, is_view, writing_into
from rnnx.core.state import State
from rnnx.core.trace import UntraceableError, settled, traced

Values: TypeAlias = Sequence[Any]
Part: TypeAlias = Callable[..., Values]


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

    Attributes:
        constant: Of the cell's tensors: what depends on them alone.
        forward: Of ``z``, the state, the constants, and room for each of :attr:`kept`, which it fills: the
            new state.
        views: Of ``z``, those states before the step that :attr:`befores` names, what was kept, and the
            constants, the rows of all steps one below the other: what backward reads, then what late reads.
        backward: Of the gradients at ``y`` and the new state, what it reads, the constants, and room for each
            of :attr:`passed`, which it fills: the gradients at the state, None where there is none.
        late: Of what was passed, what it reads, and the constants, the rows of all steps one below the other:
            the gradients at ``z`` and at the tensors, None where none is wanted.
        dtypes: Of the state's tensors, the same before a step and after it.
        kept: The forms of what is kept of a step; the first is ``y``.
        passed: The forms of what backward hands on to late.
        befores: For states that are read: their position in the state, and in ``kept``.
        backward_reads: How many values backward reads.
        learns: Whether any gradient is wanted.
        draws: Whether the step draws random numbers.
    """

    constant: Part
    forward: Part
    views: Part
    backward: Part
    late: Part
    dtypes: Sequence[torch.dtype]
    kept: Sequence[Form]
    passed: Sequence[Form]
    befores: Sequence[tuple[int, int]]
    backward_reads: int
    learns: bool
    draws: bool


def taken_apart(cell: Cell, z: Tensor, state: State) -> Plan:
    """The plan of a cell's step.

    Args:
        cell: The cell.
        z: Of the kind that will come, ``(N, P)``.
        state: Tensors ``(N, size)``.

    Raises:
        UntraceableError: the step does what a plan cannot hold.
        Exception: whatever the step itself raises.
    """
    try:
        dtypes = settled(cell, z, state)
        graph = traced(cell, z, state, dtypes)
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's step may do under a tracer
        raise UntraceableError(f"fails when it is taken apart ({type(error).__name__}: {error})") from error
    return _Parts(fused(graph), len(state)).plan(dtypes)


@final
class _Parts:
    """The operations of a traced step, sorted.

    Args:
        graph: As :func:`~rnnx.core.trace.traced` gives it.
        states: How many tensors the state has.
    """

    def __init__(self, graph: fx.Graph, states: int) -> None:
        self.nodes = list(graph.nodes)
        self.places = {node: place for place, node in enumerate(self.nodes)}
        given = [node for node in self.nodes if node.op == "placeholder"]
        (results,) = self.nodes[-1].args
        assert isinstance(results, list)
        first = 1 + states
        self.step, self.tensors, self.at = given[:first], given[first:-first], given[-first:]
        self.y, self.after = results[0], results[1:first]
        self.to_z, self.to_state = results[first], results[first + 1 : 2 * first]
        self.to_tensors = results[2 * first :]
        self.rows = {node for node in self.nodes if node.target in (ATEN.sym_size.int, mul)}
        self.random = {node for node in self.nodes if draws(node)}
        self.constant, self.tangent = set(self.tensors), set(self.at)
        for node in self.nodes:
            if node.op == "call_function" and node not in self.rows:
                self._sort(node)

    def _sort(self, node: fx.Node) -> None:
        reads = node.all_input_nodes
        if any(read in self.tangent for read in reads):
            self.tangent.add(node)
        elif node not in self.random and all(read in self.constant for read in reads):
            self.constant.add(node)

    def plan(self, dtypes: Sequence[torch.dtype]) -> Plan:
        """The parts."""
        constants = self._ordered(
            n for n in self.constant if any(user not in self.constant for user in n.users)
        )
        chain = (self._above(self.to_state) & self.tangent) - set(self.at)
        late = self._readable(
            (self._above([self.to_z, *self.to_tensors]) & self.tangent) - chain - set(self.at)
        )
        known = chain | set(self.at)
        passed = self._ordered(({*self._reads(late), self.to_z, *self.to_tensors} & known) - late)
        backward_reads = [node for node in self._reads(self._readable(chain)) if node not in known]
        late_reads = [node for node in self._reads(late) if node not in known]
        roots = {root for node in (*backward_reads, *late_reads) for root in self._roots(node)}
        places = [place for place, node in enumerate(self.step[1:]) if node in roots]
        wanted = roots - set(self.step) | {self.after[place] for place in places}
        kept = [self.y, *self._ordered(wanted - {self.y})]
        before = [self.step[1 + place] for place in places]
        return Plan(
            constant=self._function(self.tensors, constants),
            forward=self._function([*self.step, *constants], self.after, kept),
            views=self._function([self.step[0], *before, *kept, *constants], [*backward_reads, *late_reads]),
            backward=self._function([*self.at, *backward_reads, *constants], self.to_state, passed),
            late=self._function([*passed, *late_reads, *constants], [self.to_z, *self.to_tensors]),
            dtypes=dtypes,
            kept=[Form(node.meta["shape"], node.meta["dtype"]) for node in kept],
            passed=[Form(node.meta["shape"], node.meta["dtype"]) for node in passed],
            befores=[(place, kept.index(self.after[place])) for place in places],
            backward_reads=len(backward_reads),
            learns=any(isinstance(node, fx.Node) for node in (self.to_z, *self.to_state, *self.to_tensors)),
            draws=bool(self.random),
        )

    def _readable(self, part: set[fx.Node]) -> set[fx.Node]:
        """With what it must make again, as a matrix turned round, which has no row for each of the batch."""
        part = set(part)
        while again := {node for node in self._reads(part) if not node.meta.get("by_rows")}:
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
        """The operations that lead from some nodes to others.

        Args:
            given: What the function is called with, first one that has a row for each of the batch, if it has
                any.
            results: What it gives.
            filled: What it writes into tensors that it is called with too, after the others.
        """
        graph = fx.Graph()
        known = {node: graph.placeholder(f"given_{number}") for number, node in enumerate(given)}
        room = {node: graph.placeholder(f"room_{number}") for number, node in enumerate(filled)}
        for node in self._ordered(self._above([*results, *filled], given)):
            if node.target is ATEN.sym_size.int:
                known[node] = graph.call_function(ATEN.sym_size.int, (known[given[0]], 0))
            else:
                known[node] = writing_into(
                    graph, graph.node_copy(node, known.__getitem__), room.pop(node, None)
                )
        for node, place in room.items():
            graph.call_method("copy_", (place, known[node]))
        graph.output(tuple(known[node] if isinstance(node, fx.Node) else None for node in results))
        return fx.GraphModule({}, graph).forward
