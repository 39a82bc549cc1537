"""In which stage each value of a step is made, and where what is written down lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, chain, count
from operator import getitem
from typing import Any, Final, NamedTuple, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.formulas import ALONG, Along
from rnnx.core.unrolling.operations import ATEN

WHOLE: Final[dict[Any, slice]] = {  # which of what they are given is read in whole rows
    ATEN.mm.default: slice(0, 1),
    ATEN.addmm.default: slice(1, 2),
    ATEN.native_layer_norm.default: slice(0, 1),
    ATEN.native_layer_norm_backward.default: slice(0, 2),
    **{operation: slice(along.whole) for operation, along in ALONG.items()},
}
ALIKE: Final = (  # what shows a row in another shape, if it is one
    ATEN.view.default,
    ATEN._unsafe_view.default,
    ATEN.unsqueeze.default,
    ATEN.squeeze.dim,
    ATEN.squeeze.dims,
)
SLICE: Final[Any] = (None, 0, 0, None, 1)  # what it is given, if nothing is said
JOINED: Final = (
    ATEN.cat.default,
    ATEN.slice_backward.default,
    ATEN.select_backward.default,
    ATEN.constant_pad_nd.default,
)
SPLITS: Final = (
    ATEN.split.Tensor,
    ATEN.split_with_sizes.default,
    ATEN.unsafe_split.Tensor,
    ATEN.unsafe_split_with_sizes.default,
)


@final
class UnwritableError(Exception):
    """A step holds what is not written as a kernel; the text names it."""


@final
class CrossedError(Exception):
    """Columns are wanted that are not made side by side, so that their value is to be written down first.

    Args:
        node: The value.
    """

    def __init__(self, node: fx.Node) -> None:
        self.node = node


@final
class Roles(NamedTuple):
    """What a step is called with and gives, as nodes of its graph.

    Attributes:
        rows: What has a row for each step of each sequence and is read.
        state: What the step before gave.
        constants: What every step reads.
        results: What the next step is given as its state; None stands for zeros.
        room: What is written down of each step.
    """

    rows: Sequence[fx.Node]
    state: Sequence[fx.Node]
    constants: Sequence[fx.Node]
    results: Sequence[Any]
    room: Sequence[fx.Node]

    @property
    def given(self) -> list[fx.Node]:
        """All that it is called with, but room."""
        return [*self.rows, *self.state, *self.constants]

    @property
    def made(self) -> list[Any]:
        """All that it gives or writes down."""
        return [*self.results, *self.room]


@final
class Output(NamedTuple):
    """Columns that are written down: of which value, how many, and the address of one of them."""

    value: Any
    width: int
    address: str


@final
class Piece(NamedTuple):
    """Columns of a value, or of a number's, from some one on."""

    value: Any
    start: int


@final
class Part(NamedTuple):
    """What a value is put together of, side by side: a value or a number, where it begins, how wide it is."""

    value: Any
    start: int
    width: int


@final
class Layout:
    """In which stage each value of a step is made, and where what is written down lies.

    Args:
        roles: What the step is called with and gives.
        first: Values that are written down before anything reads them.
    """

    def __init__(self, roles: Roles, first: Collection[fx.Node]) -> None:
        self.roles, self.first = roles, first
        self.given = set(roles.given)
        self.constants = {node: f"constant_{place}" for place, node in enumerate(roles.constants)}
        self.addresses: dict[Any, str] = {}
        self.scratch: list[tuple[int, torch.dtype]] = []
        self.sums = count()  # numbers for what is summed over rows
        self._stages: dict[fx.Node, int] = {}
        self._found: dict[fx.Node, set[fx.Node]] = {}  # see _leaves
        for place, node in enumerate(roles.rows):
            self.addresses[node] = f"row_{place} + place * row_{place}_r + {{column}} * row_{place}_c"
        for place, node in enumerate(roles.state):
            self.addresses[node] = f"state_{place} + now * {width_of(node)} + {{column}}"
        self.outputs = self._outputs()

    def stage(self, node: Any) -> int:
        """In which stage a value is made: after all that it reads in whole rows."""
        if not isinstance(node, fx.Node) or node in self.given:
            return 0
        if node not in self._stages:
            reads = node.all_input_nodes
            down = [*self.whole(node), *(read for read in reads if read in self.first)]
            before = [1 + self.stage(read) for read in down if read not in self.given]
            self._stages[node] = max([0, *before, *map(self.stage, reads)])
        return self._stages[node]

    def _outputs(self) -> list[list[Output]]:
        """What is written down in each stage."""
        wanted = [
            Output(node, width_of(node), f"room_{place} + place * {width_of(node)} + {{column}}")
            for place, node in enumerate(self.roles.room)
        ]
        for place, (node, before) in enumerate(zip(self.roles.results, self.roles.state, strict=True)):
            address = f"state_{place} + then * {width_of(before)} + {{column}}"
            wanted.append(Output(0.0 if node is None else node, width_of(before), address))
        known = dict.fromkeys(output.value for output in wanted)
        for node in self._read_later([value for value in known if isinstance(value, fx.Node)]):
            if node not in known:
                address = f"scratch_{len(self.scratch)} + row * {width_of(node)} + {{column}}"
                wanted.append(Output(node, width_of(node), address))
                self.scratch.append((width_of(node), node.meta["dtype"]))
        stages: list[list[Output]] = [
            [] for _ in range(1 + max((self.stage(value) for value, *_ in wanted), default=0))
        ]
        for output in wanted:
            self.addresses.setdefault(output.value, output.address)
            stages[self.stage(output.value)] += self._parts(output)
        for part in chain.from_iterable(stages):
            self.addresses.setdefault(part.value, part.address)
        return stages

    def _read_later(self, wanted: Sequence[fx.Node]) -> list[fx.Node]:
        """What is made in an earlier stage than something that reads it, in the order of the graph."""
        found: set[fx.Node] = set()
        for node in self._leading_to(wanted):
            found |= set(self.whole(node))
            for read in (node, *node.all_input_nodes):
                leaves = [leaf for leaf in self._leaves(read) if leaf.meta.get("by_rows")]
                found |= {leaf for leaf in leaves if self.stage(leaf) < self.stage(node)}
        return sorted(found - self.given)

    def _leading_to(self, wanted: Sequence[fx.Node]) -> list[fx.Node]:
        """What values are made of, each after all that it reads, so that of this all is known by then."""
        found: set[fx.Node] = set()
        waiting = list(wanted)
        while waiting:
            node = waiting.pop()
            if node not in found and node not in self.given:
                found.add(node)
                waiting += node.all_input_nodes
        return sorted(found)

    def whole(self, node: fx.Node) -> list[fx.Node]:
        """What a value reads in whole rows, wherever that is written down."""
        read = arguments(node)[WHOLE[node.target]] if node.target in WHOLE else []
        return [self.place(other).value for other in read]

    def place(self, node: fx.Node) -> Piece:
        """Where whole rows of a value lie; what is given lies there in its own type."""
        inner = arguments(node)[0] if node.target is ATEN._to_copy.default else node
        value = inner if inner in self.given else node
        return self.piece(value, 0, width_of(value))

    def piece(self, node: fx.Node, start: int, width: int) -> Piece:
        """Where columns come from: of what a value is a view of, or is put together of."""
        inner = None if node in self.given else viewed(node)
        if inner is not None:
            return self.piece(inner.value, inner.start + start, width)
        for part in self._parts_of(node):
            if part.start <= start and start + width <= part.start + part.width:
                if isinstance(part.value, fx.Node):
                    return self.piece(part.value, start - part.start, width)
                return Piece(part.value, 0)
        return Piece(node, start)

    def _parts_of(self, node: Any) -> list[Part]:
        """What a value is put together of, where that is to be looked through."""
        whole = not isinstance(node, fx.Node) or node in self.given or node in self.first
        return [] if whole else joined(node)

    def _parts(self, output: Output) -> Iterator[Output]:
        """What is put together is written down part by part."""
        known = not isinstance(output.value, fx.Node) or output.value in self.given
        parts = [] if known else joined(output.value)
        for part in parts:
            address = output.address.format(column=f"({part.start} + {{column}})")
            yield from self._parts(Output(part.value, part.width, address)) if part.width else ()
        if not parts:
            yield output

    def _leaves(self, node: Any) -> set[fx.Node]:
        """What a value is a view of, or put together of, and is neither itself."""
        if not isinstance(node, fx.Node):
            return set()
        if node not in self._found:
            inner, parts = None if node in self.given else viewed(node), self._parts_of(node)
            values = [part.value for part in parts] if inner is None else [inner.value]
            leaves = {leaf for value in values for leaf in self._leaves(value)}
            self._found[node] = leaves if values else {node}
        return self._found[node]


def viewed(node: fx.Node) -> Piece | None:
    """Which columns of which value a view shows; None of what is no view of columns."""
    dimension = 1
    match node.target:
        case target if target in ALIKE:
            (value, *_), start = arguments(node), 0
            if not (is_row(value) and is_row(node)):
                return None
        case ATEN.copy.default:
            (whole, value, *_), start = arguments(node), 0
            if any(whole.meta[key] != value.meta[key] for key in ("by_rows", "shape", "dtype")):
                return None
        case ATEN.constant_pad_nd.default if max(arguments(node)[1]) <= 0:
            value, (before, *_), *_ = arguments(node)
            start, dimension = -before, 1 if len(arguments(node)[1]) == 2 else 0
        case ATEN.select.int if _is_table(arguments(node)[0]):
            table, dimension, place = arguments(node)
            return _row_of(table, dimension, place)
        case target if target is getitem and arguments(node)[0].target is ATEN.unbind.int:
            whole, place = arguments(node)
            table, dimension = (*arguments(whole), 0)[:2]
            return _row_of(table, dimension, place)
        case ATEN.select.int:
            value, dimension, column = arguments(node)
            start = _counted(column, value)
        case ATEN.slice.Tensor:
            value, dimension, first, _, step = arguments(node) + SLICE[len(node.args) :]
            if step != 1 or isinstance(first, fx.Node):  # as many rows further on
                return None
            start = _counted(first or 0, value)
        case target if target is getitem and arguments(node)[0].target in SPLITS:
            whole, place = arguments(node)
            value, sizes, dimension = (*arguments(whole), 0)[:3]
            start = place * sizes if isinstance(sizes, int) else sum(sizes[:place])
        case _:
            return None
    return Piece(value, start) if dimension in (1, -1) else None


def _is_table(node: fx.Node) -> bool:
    """Whether a value shows each row as several rows of one width, ``(N, K, W)``."""
    return node.target in ALIKE and len(node.meta["shape"]) == 2 and is_row(arguments(node)[0])


def _row_of(table: fx.Node, dimension: int, place: int) -> Piece | None:
    """One of the rows of which a value shows each row as several."""
    if not _is_table(table) or dimension not in (1, -2):
        return None
    count, width = table.meta["shape"]
    return Piece(arguments(table)[0], place % count * width)


def joined(node: fx.Node) -> list[Part]:
    """What a value is put together of; nothing of another."""
    values: list[tuple[Any, int]] = []
    dimension, step, given = 1, 1, arguments(node)
    match node.target:
        case ATEN.cat.default:
            parts, dimension = (*given, 0)[:2]
            values = [(part, width_of(part)) for part in parts] if dimension in (1, -1) else []
        case target if target in ALIKE and given[0].target is ATEN.stack.default and is_row(node):
            parts, dimension = (*arguments(given[0]), 0)[:2]
            alike = all(is_row(part) and part.meta["shape"] for part in parts)
            values = [(part, width_of(part)) for part in parts] if alike and dimension in (1, -2) else []
            dimension = 1
        case ATEN.slice_backward.default:
            gradient, _, dimension, first, _, step = given
            values = [] if isinstance(first, fx.Node) else _inside(node, gradient, first)
        case ATEN.select_backward.default:
            gradient, _, dimension, column = given
            values = _inside(node, gradient, column)
        case ATEN.constant_pad_nd.default:
            value, sides, filling = (*given, 0.0)[:3]
            if len(sides) == 2 and min(sides) >= 0:
                before, after = sides
                values = [(float(filling), before), (value, width_of(value)), (float(filling), after)]
    if dimension not in (1, -1) or step != 1:
        return []
    starts = accumulate((width for _, width in values), initial=0)
    return [Part(value, start, width) for (value, width), start in zip(values, starts, strict=False)]


def _inside(node: fx.Node, value: fx.Node, first: int) -> list[tuple[Any, int]]:
    """A value from some column on, between zeros."""
    before, width = _counted(first, node), width_of(value)
    return [(0.0, before), (value, width), (0.0, width_of(node) - before - width)]


def _counted(column: int, node: fx.Node) -> int:
    """A column's number, also of one that is counted from the end."""
    return column + width_of(node) if column < 0 else column


def along_of(node: fx.Node) -> Along | None:
    """How a value is made of whole rows; None of what is not so made, or of something else than rows."""
    along, given = ALONG.get(node.target), arguments(node)
    if along is None or len(given) <= along.dimension or given[along.dimension] not in (1, -1, [1], [-1]):
        return None
    if node.target is ATEN.linalg_vector_norm.default and given[1] != 2:
        return None
    rows = all(is_row(value) and value.meta["shape"] for value in given[: along.whole])
    return along if rows and is_row(node) else None


def is_row(node: fx.Node) -> bool:
    """Whether a value has a row of numbers, or one number, for each of the batch."""
    return bool(node.meta.get("by_rows")) and len(node.meta["shape"]) < 2


def width_of(node: fx.Node) -> int:
    """Of a value's rows.

    Raises:
        UnwritableError: its rows are no rows of numbers.
    """
    if not is_row(node):
        raise UnwritableError(f"makes what is no row of numbers ({node.target})")
    return int(node.meta["shape"][0]) if node.meta["shape"] else 1


def arguments(node: fx.Node) -> Any:
    """What an operation is given."""
    return node.args
