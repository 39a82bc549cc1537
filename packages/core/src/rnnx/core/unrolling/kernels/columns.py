"""The text of what a kernel makes at the same columns."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from math import inf, nan
from operator import getitem
from typing import Any, ClassVar, Final, TypeVar, cast

import torch
from torch import fx

from rnnx.core.unrolling.kernels.formulas import Along, Formula, formula_of
from rnnx.core.unrolling.kernels.layout import (
    JOINED,
    CrossedError,
    Layout,
    Output,
    Roles,
    UnwritableError,
    along_of,
    arguments,
    width_of,
)
from rnnx.core.unrolling.operations import ATEN, PRODUCTS

MANY: Final = 16  # pieces of a value that are made side by side
DEEP: Final = 100  # values, each made of the next by a call within a call; then one is written down
DECIMAL: Final = re.compile(r"\d+\.\d+")
FIELD: Final = re.compile(r"{(\d)}")


class Columns(ABC):
    """The text of what is made at the same columns, in some language.

    Args:
        layout: Where all is.
        stage: In which stage they are made.
        base: How many they are.
    """

    types: ClassVar[Sequence[torch.dtype]]  # of what can be made

    def __init__(self, layout: Layout, stage: int, base: int) -> None:
        self.layout, self.stage, self.base = layout, stage, base
        self.aligned = True
        self.depth = 0  # how many values are being made, each of the next
        self.sums: list[str] = []  # over whole rows, before
        self.lines: list[str] = []
        self.names: dict[Hashable, str] = {}

    @abstractmethod
    def text(self) -> Iterator[str]:
        """Its lines, one column or some columns after the other."""

    @abstractmethod
    def number(self, number: float) -> str:
        """A number."""

    @abstractmethod
    def load(self, address: str, dtype: torch.dtype, within: str) -> str:
        """What is read at an address.

        Args:
            address: It.
            dtype: Of what lies there.
            within: Whether it is there for each column, ``fits``; for each row, ``live``; or at all events,
                which is the empty text.
        """

    @abstractmethod
    def store(self, address: str, value: str) -> str:
        """The line that writes a value down."""

    @abstractmethod
    def cast(self, text: str, dtype: torch.dtype) -> str:
        """What a value is in another type."""

    @abstractmethod
    def named(self, name: str, text: str) -> str:
        """The line that gives a value its name."""

    @abstractmethod
    def added(self, name: str, text: str, largest: bool) -> str:
        """The line that adds a column's value to a sum, or makes it the largest where it is."""

    @abstractmethod
    def first(self, name: str, dtype: torch.dtype, largest: bool) -> str:
        """The line that begins a sum of values of a type, or the search for the largest."""

    @abstractmethod
    def product(self, node: fx.Node, start: int, added: Sequence[Any], a: fx.Node, b: fx.Node) -> str:
        """Columns of ``a @ b``, or of that and what is added.

        Raises:
            UnwritableError: it cannot be had.
        """

    def write(self, output: Output) -> None:
        """Makes a value and writes it down."""
        for start in range(0, output.width, self.base):
            value = self._value(output.value, start)
            self.lines.append(self.store(output.address.format(column=f"({start} + column)"), value))

    def _value(self, value: Any, start: int) -> str:
        """The name of columns of a value, from ``start`` on; or the number that it is."""
        if isinstance(value, (bool, int, float)):
            return self.number(value)
        if not isinstance(value, fx.Node):
            raise UnwritableError(f"reads {value!r}")
        if value in self.layout.constants:
            return self._constant(value, start)
        alike = width_of(value) == 1  # in all columns
        one = alike and self.base > 1
        node, start = self.layout.piece(value, 0 if alike else start, 1 if one else self.base)
        if isinstance(node, float):
            return self.number(node)
        key = node, start, one
        if key not in self.names:
            name = self.names[key] = f"v{len(self.names)}"
            if node in self.layout.given or self.layout.stage(node) < self.stage:
                self._read(node, start, name, one)
            elif (one and width_of(node) > 1) or self.depth == DEEP:
                raise CrossedError(node)
            else:
                self.depth += 1
                self._make(node, start, name)
                self.depth -= 1
        return self.names[key]

    def _make(self, node: fx.Node, start: int, name: str) -> None:
        """What is made here."""
        if node.meta["dtype"] not in self.types:
            raise UnwritableError(f"makes {node.meta['dtype']} ({node.target})")
        if start + self.base > width_of(node) > 1 or node.target in JOINED:
            raise CrossedError(node)
        formula, along = formula_of(node), along_of(node)
        if formula is not None:
            self.lines.append(self.named(name, self._written(node, formula, start)))
        elif along is not None:
            self.lines.append(self.named(name, self._along(node, along, start)))
        elif node.target in PRODUCTS:
            if width_of(node) < self.base:
                raise CrossedError(node)
            *added, a, b = arguments(node)
            self.lines.append(self.named(name, self.product(node, start, added, a, b)))
        elif node.target is ATEN.expand.default:
            (x, *_) = arguments(node)
            self.lines.append(self.named(name, self._value(x, start)))
        elif node.target is getitem:
            self._normalized(node, start, name)
        else:
            raise UnwritableError(f"calls {node.target}")

    def _written(self, node: fx.Node, formula: Formula, start: int) -> str:
        """What is elementwise."""
        options: dict[str, Any] = {"alpha": 1, "value": 1, **node.kwargs}
        factors = {key: self.number(options[key]) for key in ("alpha", "value")}
        plain = DECIMAL.sub(lambda decimal: self.number(float(decimal[0])), formula.text)
        text = plain.format(*self._parts(plain, formula.args, start), **factors)
        casts = node.target is ATEN._to_copy.default
        return self.cast(f"({text})", node.meta["dtype"]) if casts else text

    def _along(self, node: fx.Node, along: Along, start: int) -> str:
        """What is made of whole rows."""
        values = arguments(node)[: along.whole]
        size, less = width_of(values[0]), cast("float | None", node.kwargs.get("correction"))
        known: dict[str, Any] = {"size": size, "inf": self.number(inf), "nan": self.number(nan)}
        known["freedom"] = self.number(size - (1 if less is None else less))
        if any("{largest}" in text for text in (along.text, *along.sums)):
            known["largest"] = self._sum(size, "{0}", values[0], largest=True)
        for place, text in enumerate(along.sums):
            formula = text.format(*(f"{{{number}}}" for number, _ in enumerate(values)), **known)
            known[f"sum{place}"] = self._sum(size, formula, *values)
        return along.text.format(*self._parts(along.text, values, start), **known)

    def _parts(self, text: str, values: Sequence[Any], start: int) -> list[str]:
        """The names of what a formula is made of; of what it does not read none."""
        read = {int(place) for place in FIELD.findall(text)}
        return [self._value(value, start) if place in read else "" for place, value in enumerate(values)]

    def _constant(self, node: fx.Node, start: int) -> str:
        """What is the same in each row."""
        *outer, width = node.meta["shape"] or (1,)
        name = self.layout.constants[node]
        if any(size != 1 for size in outer):
            raise UnwritableError("reads a matrix by its elements")
        if width == 1:
            return self.load(name, node.meta["dtype"], "")
        return self.load(
            f"{name} + ({start} + column) * {name}_c", node.meta["dtype"], f"column < {self.base}"
        )

    def _read(self, node: fx.Node, start: int, name: str, one: bool) -> None:
        """What was given, or written down before; one column of it, or all."""
        if node not in self.layout.addresses:
            raise CrossedError(node)
        if node in self.layout.roles.state:
            self.aligned &= not one and start % self.base == 0
        address = self.layout.addresses[node].format(column=start if one else f"({start} + column)")
        read = self.load(address, node.meta["dtype"], "live" if one else "fits")
        self.lines.append(self.named(name, read))

    def _normalized(self, node: fx.Node, start: int, name: str) -> None:
        """One of the results of layer normalisation: the rows, their means, what they are divided by."""
        whole, place = arguments(node)
        if place == 0 and width_of(node) < self.base:
            raise CrossedError(node)
        if whole.target is ATEN.native_layer_norm.default:
            x, (size,), weight, bias, epsilon = arguments(whole)
            moments = self._moments(x, size, epsilon)
            if place:
                self.lines.append(self.named(name, moments[place - 1]))
                return
            parts = [self._value(part, start) for part in (x, *_affine(weight, bias))]
            text = "({2} - {0}) * {1} * {3} + {4}".format(*moments, *parts)
            self.lines.append(self.named(name, text))
        elif whole.target is ATEN.native_layer_norm_backward.default and place == 0:
            gradient, x, (size,), mean, scale, weight, *_ = arguments(whole)
            values = (gradient, x, mean, scale, *_affine(weight, None)[:1])
            scaled, normal = "{0} * {4}", "({1} - {2}) * {3}"
            sums = [
                f"{self._sum(size, formula, *values)} / {size}"
                for formula in (scaled, f"{scaled} * {normal}")
            ]
            parts = [self._value(part, start) for part in values]
            formula = "{3} * (" + f"{scaled} - {sums[0]} - {normal} * {sums[1]})"
            self.lines.append(self.named(name, formula.format(*parts)))
        else:
            raise UnwritableError(f"calls {whole.target}")

    def _moments(self, x: fx.Node, size: int, epsilon: float) -> tuple[str, str]:
        """Of each row the mean, and one over the deviation."""
        mean = f"({self._sum(size, '{0}', x)} / {size})"
        squares = self._sum(size, f"({{0}} - {mean}) * ({{0}} - {mean})", x)
        return mean, f"(1 / sqrt({squares} / {size} + {epsilon}))"

    def _sum(self, size: int, formula: str, *values: Any, largest: bool = False) -> str:
        """The name of the sum of a row's elements, or of the largest."""
        key = formula, values, largest
        if key not in self.names:
            name = self.names[key] = f"sum_{next(self.layout.sums)}"
            row = type(self)(self.layout, self.stage, size)
            element = formula.format(*(row._value(value, 0) for value in values))
            row.lines.append(row.added(name, element, largest))
            self.sums += [self.first(name, values[0].meta["dtype"], largest), *row.text()]
        return self.names[key]


Language = TypeVar("Language", bound=Columns)


def laid_out(roles: Roles, language: type[Language]) -> tuple[Layout, list[list[Language]]]:
    """What is made in each stage.

    Raises:
        UnwritableError: something cannot be written.
    """
    first: list[fx.Node] = []
    while True:
        layout = Layout(roles, first)
        try:
            return layout, [list(columns_of(layout, *stage, language)) for stage in enumerate(layout.outputs)]
        except CrossedError as crossed:
            if crossed.node in first:
                raise UnwritableError(
                    f"makes columns across one another ({crossed.node.target})"
                ) from crossed
            first.append(crossed.node)


def columns_of(
    layout: Layout, stage: int, outputs: Sequence[Output], language: type[Language]
) -> Iterator[Language]:
    """What is made in a stage, by how many columns it has, if any; pieces of one width go together."""
    made: dict[int, Language] = {}
    for output in sorted((output for output in outputs if output.width), key=lambda output: output.width):
        fitting = (base for base in made if base > 1 and output.width in range(base, MANY * base + 1, base))
        base = next(fitting, output.width)
        made.setdefault(base, language(layout, stage, base)).write(output)
    yield from made.values()


def _affine(weight: Any, bias: Any) -> tuple[Any, Any]:
    """What normalised rows are multiplied by, and what is added."""
    return (1.0 if weight is None else weight), (0.0 if bias is None else bias)
