"""Which operations of a part of a step are made together, elementwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from operator import getitem
from typing import Final, NamedTuple, TypeAlias, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.formulas import OF_SEVERAL, formula_of
from rnnx.core.unrolling.kernels.layout import SPLITS, along_of, arguments, is_row, joined, viewed
from rnnx.core.unrolling.operations import ATEN, PRODUCTS, draws

# Operations that are worth a group, as calling it takes longer than calling one of torch's; but one product
# is worth it, as its matrix is laid out once for all steps.
LEAST: Final = 2
NORMAL: Final = (ATEN.native_layer_norm.default, ATEN.native_layer_norm_backward.default)


@final
class Group(NamedTuple):
    """Operations that are made together.

    Attributes:
        rows: What they read of each row.
        constants: What they read besides.
        results: What they make that something else reads.
        matrices: Which of the constants they multiply rows with.
    """

    rows: Sequence[fx.Node]
    constants: Sequence[fx.Node]
    results: Sequence[fx.Node]
    matrices: Sequence[fx.Node]


Work: TypeAlias = "fx.Node | Group"


def grouped(
    operations: Sequence[fx.Node],
    given: Collection[fx.Node],
    wanted: Collection[fx.Node],
    types: Collection[torch.dtype],
    multiplies: bool,
) -> list[Work]:
    """Operations in an order in which they can be done, those elementwise in as few groups as can be.

    Each is made as late as what reads it allows. What is a view is left out. What is written over is read by
    nothing else (see :func:`~rnnx.core.unrolling.trace.traced`), so that no other order matters.

    Args:
        operations: In the order of their graph.
        given: What is there before; what has no row for each of the batch is constant.
        wanted: What is to be there afterwards.
        types: Of what can be made in groups.
        multiplies: Whether products with matrices that stay as they are can.
    """
    return list(_Sorted(operations, given, wanted, types, multiplies))


@final
class _Sorted:
    """Operations by their *level*: how many one after the other that are no group's lead to one."""

    def __init__(
        self,
        operations: Sequence[fx.Node],
        given: Collection[fx.Node],
        wanted: Collection[fx.Node],
        types: Collection[torch.dtype],
        multiplies: bool,
    ) -> None:
        self.operations, self.given, self.types = operations, set(given), types
        self.multiplies = multiplies
        self.inside: set[fx.Node] = set(operations)
        self.soft: set[fx.Node] = set()  # what may be in a group
        for node in operations:
            if self._fits(node):
                self.soft.add(node)
        self.levels: dict[fx.Node, int] = {}
        self._set_levels()
        self.results: set[fx.Node] = set()
        for node in {*wanted} & self.soft:
            self.results |= self._leaves(node)
        for node in operations:
            for read in self._read(node) & self.soft:
                if node not in self.soft or self.levels[read] < self.levels[node]:
                    self.results |= self._leaves(read)

    def __iter__(self) -> Iterator[Work]:
        there = self.given | (self.inside - self.soft)
        for level in range(1 + max(self.levels.values(), default=0)):
            at = [node for node in self.operations if self.levels[node] == level]
            yield from (node for node in at if node not in self.soft)
            results = [node for node in at if node in self.results]
            if results:
                made, reads = self._above(results, there)
                met = {arguments(node)[-1] for node in made if node.target in PRODUCTS}
                if len(made) < LEAST and not met:
                    yield from results
                else:
                    rows = [node for node in reads if node.meta.get("by_rows")]
                    constants = [node for node in reads if node not in rows]
                    matrices = [node for node in constants if node in met]
                    yield Group(rows, constants, results, matrices)
                there |= set(results)

    def _read(self, node: fx.Node) -> set[fx.Node]:
        return self.inside.intersection(node.all_input_nodes)

    def _set_levels(self) -> None:
        """As early as can be; then what may be in a group as late as can be."""
        drawn = 0
        for node in self.operations:
            level = max((self.levels[read] for read in self._read(node)), default=0)
            if node not in self.soft:
                level += 1
            if draws(node):  # as in the graph, one after the other
                level = drawn = max(level, drawn)
            self.levels[node] = level
        top = max(self.levels.values(), default=0)
        for node in reversed(self.operations):
            if node in self.soft:
                users = [user for user in node.users if user in self.inside]
                ends = [self.levels[user] - (user not in self.soft) for user in users]
                self.levels[node] = min([top, *ends])
        for node in self.operations:  # one of several results is made with the others
            if node in self.soft and node.target is getitem:
                self.levels[node] = self.levels[node.all_input_nodes[0]]

    def _leaves(self, node: fx.Node) -> set[fx.Node]:
        """What is to be written down for a value to be there: what it is a view of."""
        if node not in self.soft:
            return set()
        if node.target in SPLITS or viewed(node) is not None:
            return self._leaves(node.all_input_nodes[0])
        return {node}

    def _above(self, results: Sequence[fx.Node], there: set[fx.Node]) -> tuple[set[fx.Node], list[fx.Node]]:
        """What leads to some results and is no view, and what is there already of what that reads."""
        made: set[fx.Node] = set()
        reads: set[fx.Node] = set()
        seen: set[fx.Node] = set()
        waiting = list(results)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                made |= self._leaves(node) & {node}
                reads |= there & set(_values(node))
                waiting += [read for read in _values(node) if read not in there]
        return made, sorted(reads)

    def _fits(self, node: fx.Node) -> bool:
        """Whether an operation may be in a group."""
        if node.target in SPLITS:
            return (*arguments(node), 0)[2] in (1, -1) and self._is_row(node.all_input_nodes[0])
        if node.target in NORMAL:
            return self._is_normal(node)
        if any(node.target is whole for whole, _ in OF_SEVERAL):
            return self._reads_rows(node)
        if not self._is_row(node):
            return False
        if node.target is getitem:
            return node.all_input_nodes[0] in self.soft
        if node.target in PRODUCTS:
            return self.multiplies and self._is_product(node)
        if not self._reads_rows(node):
            return False
        made = formula_of(node) is not None or along_of(node) is not None
        return made or node.target is ATEN.expand.default or viewed(node) is not None or bool(joined(node))

    def _is_normal(self, node: fx.Node) -> bool:
        """Whether an operation is the normalisation of rows, or its gradient at them, and no more."""
        size = arguments(node)[1 + (node.target is NORMAL[1])]
        results = [user for user in node.users if user in self.inside]
        return len(size) == 1 and all(map(self._is_row, results)) and self._reads_rows(node)

    def _is_product(self, node: fx.Node) -> bool:
        """Whether an operation is the product of rows and a matrix that is the same for each, in 32 bits."""
        *added, rows, matrix = arguments(node)
        return (
            all(map(self._is_read, added))
            and self._is_row(rows)
            and matrix in self.given
            and not matrix.meta["by_rows"]
            and rows.meta["dtype"] == matrix.meta["dtype"] == torch.float32
        )

    def _is_row(self, node: fx.Node) -> bool:
        """Whether a value is a row of numbers of a type, one at least."""
        return is_row(node) and node.meta["shape"] != (0,) and node.meta["dtype"] in self.types

    def _reads_rows(self, node: fx.Node) -> bool:
        """Whether an operation reads rows, and what is the same in each."""
        return all(map(self._is_read, _values(node)))

    def _is_read(self, node: fx.Node) -> bool:
        """Whether a value is a row, or the same in each."""
        return self._is_row(node) or (
            node in self.given
            and not node.meta["by_rows"]
            and node.meta["dtype"] in self.types
            and all(size == 1 for size in node.meta["shape"][:-1])
        )


def _values(node: fx.Node) -> list[fx.Node]:
    """What an operation reads but for the number of rows."""
    return [read for read in node.all_input_nodes if read.target is not ATEN.sym_size.int]
