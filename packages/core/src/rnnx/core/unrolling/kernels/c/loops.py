"""The text of what is made at the same columns of one row, in C."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, NamedTuple, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.columns import Columns
from rnnx.core.unrolling.kernels.layout import Layout, UnwritableError, width_of

TYPES: Final = {torch.float32: "float", torch.bool: "_Bool"}


@final
class Product(NamedTuple):
    """A product that is made of all rows of a block before what reads it.

    Attributes:
        name: Of the room that it is given, a row below the other.
        address: Of what it multiplies, ``depth`` numbers side by side.
        depth: How many.
        matrix: The name of the matrix, in panels.
        width: How many columns it has.
    """

    name: str
    address: str
    depth: int
    matrix: str
    width: int


@final
class Loop(Columns):
    """The text of what is made at the same columns of one row, in C.

    Args:
        layout: Where all is.
        stage: In which stage they are made.
        base: How many they are.
    """

    types: ClassVar[Sequence[torch.dtype]] = tuple(TYPES)

    def __init__(self, layout: Layout, stage: int, base: int) -> None:
        super().__init__(layout, stage, base)
        self.totals: list[str] = []  # what a loop adds up, and of what it finds the largest
        self.products: dict[fx.Node, Product] = {}

    def text(self) -> Iterator[str]:
        yield from self.sums
        yield "#pragma omp simd" + "".join(f" reduction({total})" for total in self.totals)
        yield f"for (int column = 0; column < {self.base}; column++) {{"
        yield from (f"    {line}" for line in self.lines)
        yield "}"

    def number(self, number: float) -> str:
        if math.isfinite(number):
            return f"{float(number)!r}f"
        return "(0 / 0.0f)" if math.isnan(number) else f"({math.copysign(1, number)} / 0.0f)"

    def load(self, address: str, dtype: torch.dtype, within: str) -> str:
        return f"*({address})"

    def store(self, address: str, value: str) -> str:
        return f"*({address}) = {value};"

    def cast(self, text: str, dtype: torch.dtype) -> str:
        return f"({text} != 0)" if dtype == torch.bool else text

    def named(self, name: str, text: str) -> str:
        return f"float {name} = {text};"

    def added(self, name: str, text: str, largest: bool) -> str:
        self.totals.append(f"{'max' if largest else '+'}:{name}")
        return f"{name} = {name} > {text} ? {name} : {text};" if largest else f"{name} += {text};"

    def first(self, name: str, dtype: torch.dtype, largest: bool) -> str:
        return f"float {name} = {self.number(-math.inf if largest else 0)};"

    def product(self, node: fx.Node, start: int, added: Sequence[Any], a: fx.Node, b: fx.Node) -> str:
        left, first = self.layout.place(a)
        if b not in self.layout.constants or {left.meta["dtype"], b.meta["dtype"]} != {torch.float32}:
            raise UnwritableError("multiplies other than rows and a constant matrix of 32 bits")
        address = self.layout.addresses[left].format(column=first)
        made = Product(f"product_{node.name}", address, width_of(a), self.layout.constants[b], width_of(node))
        self.products[node] = made
        text = f"{made.name}[row * {made.width} + ({start} + column)]"
        options: dict[str, Any] = {"alpha": 1, "beta": 1, **node.kwargs}
        text = f"{self.number(options['alpha'])} * {text}"
        for other in added:
            text = f"{self.number(options['beta'])} * {self._value(other, start)} + {text}"
        return text
