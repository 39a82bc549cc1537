"""The graph of a traced step: what each node is to the step, and what it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from operator import getitem, mul
from typing import Any, final

from torch import fx

from rnnx.core.unrolling.operations import ATEN, PRODUCTS, draws, is_elementwise, is_view
from rnnx.core.unrolling.trace import UntraceableError


@final
class StepGraph:
    """The nodes of a step and of its vector-Jacobian product, by their role and by what they come from.

    Args:
        graph: As :func:`~rnnx.core.unrolling.trace.traced` gives it.
        states: How many tensors the state has.
        inside: Whether of what could be made of all steps at once only products are, and what leads to them.

    Attributes:
        z: What the step starts from.
        state: The state before it.
        tensors: Those of the cell's tensors that it reads.
        read: Their numbers among all of the cell's.
        y: The output.
        new_state: The state after it.
        at_y: The gradient at ``y``, which is given.
        at_new_state: Those at the new state, which are given too.
        to_z: The gradient at ``z``; None where there is none, as of the next two.
        to_state: The gradients at the state.
        to_tensors: The gradients at :attr:`tensors`.
        constant: What comes from the tensors alone.
        primal: What comes from ``z``, the state or random numbers, and from no gradient.
        ahead: Of that, what comes from no state and no random number, row by row.
        drawn: And what comes from random numbers.
        cotangent: What comes from gradients, these included.
        from_y: Of that, what comes from the gradient at ``y`` alone, row by row.
        at_once: What is worth being made of all steps at once, where it can be: all, or products alone.
        random: What draws random numbers.
        rows: The number of rows, and what is made of it.
    """

    def __init__(self, graph: fx.Graph, states: int, inside: bool) -> None:
        self.nodes = list(graph.nodes)
        self._places = {node: place for place, node in enumerate(self.nodes)}
        given = [node for node in self.nodes if node.op == "placeholder"]
        (results,) = self.nodes[-1].args
        assert isinstance(results, list)
        self.z, *self.state = given[: 1 + states]
        self.at_y, *self.at_new_state = given[-1 - states :]
        tensors = [(place, node) for place, node in enumerate(given[1 + states : -1 - states]) if node.users]
        self.read, self.tensors = [place for place, _ in tensors], [node for _, node in tensors]
        (self.y, *self.new_state), gradients = results[: 1 + states], results[1 + states :]
        (self.to_z, *self.to_state), rest = gradients[: 1 + states], gradients[1 + states :]
        self.to_tensors = [rest[place] for place in self.read]
        self.rows = {node for node in self.nodes if node.target in (ATEN.sym_size.int, mul)}
        self.random = {node for node in self.nodes if draws(node)}
        self.at_once = {node for node in self.nodes if node.target in PRODUCTS or not inside}
        self.constant, self.from_y = set(self.tensors), {self.at_y}
        self.cotangent = {self.at_y, *self.at_new_state}
        self.primal: set[fx.Node] = set()
        self.ahead: set[fx.Node] = set()
        self.drawn: set[fx.Node] = set()
        for node in self.nodes:
            if node.op == "call_function" and node not in self.rows:
                self._sort(node)
        self._count_as_gradients({self.to_z, *self.to_state, *self.to_tensors} & (self.primal - {self.y}))
        self.ahead &= whole(self.above(self.ahead & self.at_once))
        self.from_y &= {self.at_y, *whole(self.above(self.from_y & self.at_once))}

    def _sort(self, node: fx.Node) -> None:
        reads, alone = set(node.all_input_nodes), self.is_row_by_row(node)
        if reads & self.cotangent:
            self.cotangent.add(node)
            if alone and reads & self.cotangent <= self.from_y:
                self.from_y.add(node)
        elif node not in self.random and reads <= self.constant:
            self.constant.add(node)
        else:
            self.primal.add(node)
            if node in self.random or reads & self.drawn:
                self.drawn.add(node)
            elif alone and reads <= {self.z, *self.constant, *self.rows, *self.ahead}:
                self.ahead.add(node)

    def _count_as_gradients(self, nodes: set[fx.Node]) -> None:
        """Has gradients that come from none, as zeros do, made on the way back all the same."""
        self.cotangent |= nodes
        for part in (self.primal, self.ahead, self.drawn):
            part -= nodes

    def is_row_by_row(self, node: fx.Node) -> bool:
        """Whether each row of a value is made of one row."""
        return all(map(_has_rows, {node, *node.all_input_nodes} - self.constant - self.rows))

    def ordered(self, nodes: Iterable[fx.Node]) -> list[fx.Node]:
        """Nodes in the order of the graph."""
        return sorted(nodes, key=self._places.__getitem__)

    def above(self, roots: Iterable[Any], stop: Iterable[fx.Node] = ()) -> set[fx.Node]:
        """The nodes from which these come, themselves included, and nothing above ``stop``."""
        found: set[fx.Node] = set()
        waiting, stop = [root for root in roots if isinstance(root, fx.Node)], set(stop)
        while waiting:
            node = waiting.pop()
            if node not in found and node not in stop:
                found.add(node)
                waiting += [] if node.target is ATEN.sym_size.int else node.all_input_nodes
        return found

    def below(self, roots: Iterable[fx.Node]) -> set[fx.Node]:
        """The nodes that come from these, themselves included."""
        found = set(roots)
        for node in self.nodes:
            if not found.isdisjoint(node.all_input_nodes):
                found.add(node)
        return found

    def leading(self, results: Iterable[Any]) -> set[fx.Node]:
        """What leads from the given gradients to others."""
        return (self.above(results) & self.cotangent) - {self.at_y, *self.at_new_state}

    def reads(self, part: set[fx.Node]) -> set[fx.Node]:
        """What a part reads that is neither its own, nor constant, nor the number of rows."""
        return {read for node in part for read in node.all_input_nodes} - part - self.constant - self.rows

    def with_remade(self, part: set[fx.Node]) -> set[fx.Node]:
        """A part with what it makes again, as that is not kept for it.

        That is what has no row for each of the batch, as a matrix turned round; and what is left of one,
        which is quicker made than read.

        Raises:
            UntraceableError: something of that is random.
        """
        part = set(part)
        while again := {node for node in self.reads(part) if _is_remade(node)}:
            if again & self.random:
                raise UntraceableError("draws random numbers that are not a row's")
            part |= again
        return part

    def sources(self, results: Iterable[fx.Node], done: set[fx.Node]) -> set[fx.Node]:
        """What results are made of: of what is done already, and of the states; views of it left out."""
        found: set[fx.Node] = set()
        seen: set[fx.Node] = set()
        waiting = list(results)
        while waiting:
            node = waiting.pop()
            if node in done or node.op == "placeholder":
                found |= self._viewed(node)
            elif node not in seen | self.constant | self.rows:
                seen.add(node)
                waiting += node.all_input_nodes
        return found

    def can_be_remade(self, node: fx.Node, there: set[fx.Node]) -> bool:
        """Whether a value is made elementwise, or joined, of what is there, of ``z``, and of states that are.

        A state before a step is there if that after it is.
        """
        states = {old for old, new in zip(self.state, self.new_state, strict=True) if new in there}
        at_hand = there | states | {self.z} | self.constant | self.rows
        for made in self.ordered(self.above([node], at_hand) & self.primal - self.drawn):
            cheap = is_view(made) or is_elementwise(made) or made.target is ATEN.cat.default
            if cheap and at_hand.issuperset(made.all_input_nodes):
                at_hand.add(made)
        return node in at_hand

    def _viewed(self, node: fx.Node) -> set[fx.Node]:
        """What a node is a view of: itself, if it is no view."""
        if node in self.constant or node in self.rows:
            return set()
        if node.op == "placeholder" or not is_view(node):
            return {node}
        viewed = {root for read in node.all_input_nodes for root in self._viewed(read)}
        return viewed if all(root.meta.get("by_rows") for root in viewed) else {node}


def whole(part: set[fx.Node]) -> set[fx.Node]:
    """A part with all results of its operations that have several."""
    return part | {user for node in part for user in node.users if user.target is getitem}


def _is_remade(node: fx.Node) -> bool:
    """Whether a value is made wherever it is read."""
    return not node.meta.get("by_rows") or node.target is ATEN.rsub.Scalar


def _has_rows(node: fx.Node) -> bool:
    """Whether a value, or all of several, has one row for each of the batch."""
    if "by_rows" in node.meta:
        return bool(node.meta["by_rows"])
    return node.op == "call_function" and all(map(_has_rows, node.users))
