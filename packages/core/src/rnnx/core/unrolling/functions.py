"""Operations of a step's graph as a function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import getitem
from typing import Any, final

from torch import fx

from rnnx.core.unrolling.kernels.c.groups import Group, Work
from rnnx.core.unrolling.kernels.c.native import looped
from rnnx.core.unrolling.operations import ATEN, writing_into
from rnnx.core.unrolling.time_loop import Part


def function_of(
    work: Iterable[Work],
    given: Sequence[fx.Node],
    results: Sequence[Any],
    filled: Sequence[fx.Node] = (),
    in_panels: Sequence[fx.Node] = (),
) -> Part:
    """The operations that lead from some nodes to others.

    Args:
        work: They, in an order in which they can be done; views may be left out.
        given: What the function is called with.
        results: What it gives; a list of such, or None, is given as it is.
        filled: What it writes into tensors that it is called with too, after all others.
        in_panels: Matrices of groups, that it is called with once more, so, after what is given.

    Raises:
        UnwritableError: a group is not written in C.
        CompilerError: it cannot be compiled.
    """
    function = _Function(given, filled, in_panels)
    for some in work:
        if isinstance(some, Group):
            function.call_together(some)
        else:
            function.call(some)
    return function.ended(results)


@final
class _Function:
    """A function as it is written."""

    def __init__(
        self, given: Sequence[fx.Node], filled: Sequence[fx.Node], in_panels: Sequence[fx.Node]
    ) -> None:
        graph = self.graph = fx.Graph()
        self.given = given
        self.known: dict[fx.Node, fx.Node] = {}
        # some may be the same, as of a step that gives what it is given
        for number, node in enumerate(given):
            name = f"again_{number}" if node in self.known else node.name
            self.known[node] = graph.placeholder(name)
        self.panels = {node: graph.placeholder(f"panels_of_{node.name}") for node in in_panels}
        self.room = {node: graph.placeholder(f"room_for_{node.name}") for node in filled}

    def _of(self, node: fx.Node) -> fx.Node:
        """What a node of the step is here."""
        if node not in self.known:
            self.call(node)
        return self.known[node]

    def call(self, node: fx.Node) -> None:
        """Does one operation."""
        if node.target is ATEN.sym_size.int:
            rows = next(given for given in self.given if given.meta.get("by_rows"))
            self.known[node] = self.graph.call_function(ATEN.sym_size.int, (self.known[rows], 0))
        else:
            for read in node.all_input_nodes:
                self._of(read)
            copy = self.graph.node_copy(node, self.known.__getitem__)
            self.known[node] = writing_into(self.graph, copy, self.room.pop(node, None))

    def call_together(self, group: Group) -> None:
        """Does the operations of a group, at once."""
        filled = [node for node in group.results if node in self.room]
        made = [node for node in group.results if node not in self.room]
        read = [
            self.panels[node] if node in group.matrices else self._of(node)
            for node in (*group.rows, *group.constants)
        ]
        rooms = [self.room.pop(node) for node in filled]
        together = self.graph.call_function(
            looped(group.rows, group.constants, filled, made), (*read, *rooms)
        )
        self.known |= zip(filled, rooms, strict=True)
        for place, node in enumerate(made):
            self.known[node] = self.graph.call_function(getitem, (together, place))

    def ended(self, results: Sequence[Any]) -> Part:
        """The function, once all is done."""
        while self.room:
            node, place = self.room.popitem()
            self.graph.call_method("copy_", (place, self._of(node)))
        self.graph.output(tuple(fx.node.map_arg(list(results), self._of)))
        return fx.GraphModule({}, self.graph).forward
