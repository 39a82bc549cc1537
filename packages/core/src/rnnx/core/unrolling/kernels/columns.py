"""The text of what a kernel makes at the same columns."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from operator import getitem
from typing import Any, Final, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.formulas import FORMULAS
from rnnx.core.unrolling.kernels.layout import (
    JOINED,
    CrossedError,
    Layout,
    Output,
    UnwritableError,
    arguments,
    width_of,
)
from rnnx.core.unrolling.operations import ATEN

ROWS: Final = 16  # of a block: the fewest that a product of Triton's takes
WIDTH: Final = 64  # columns at once; half of them where there are many products
MANY: Final = 16  # pieces of a value that are made side by side
DEPTH: Final = 128  # bytes of a row that a product reads at once

TYPES: Final = {
    torch.float64: "tl.float64",
    torch.float32: "tl.float32",
    torch.bfloat16: "tl.bfloat16",
    torch.float16: "tl.float16",
}
PRODUCTS: Final = (ATEN.mm.default, ATEN.addmm.default)


@final
class Columns:
    """The text of what is made at the same columns.

    Args:
        layout: Where all is.
        stage: In which stage they are made.
        base: How many they are.
    """

    def __init__(self, layout: Layout, stage: int, base: int) -> None:
        self.layout, self.stage, self.base = layout, stage, base
        self.aligned = True
        self.sums: list[str] = []  # over whole rows, before
        self.products: dict[tuple[str, int, torch.dtype], list[tuple[str, str]]] = {}
        self.matrices: set[fx.Node] = set()
        self.lines: list[str] = []
        self.names: dict[Hashable, str] = {}

    @property
    def alone(self) -> bool:
        """Whether no column reads what another one made."""
        return self.aligned and not self.sums and not self.products

    @property
    def width(self) -> int:
        """How many columns are made at once."""
        many = sum(map(len, self.products.values())) > 4
        return max(16, min(WIDTH // 2 if many else WIDTH, 1 << (self.base - 1).bit_length()))

    def write(self, output: Output) -> None:
        """Makes a value and writes it down."""
        for start in range(0, output.width, self.base):
            value = self._value(output.value, start)
            address = output.address.format(column=f"({start} + column)")
            self.lines.append(f"tl.store({address}, {value}, mask=fits)")

    def text(self, alone: bool) -> Iterator[str]:
        """Its lines.

        Args:
            alone: Whether each block of columns is a program's own; else one follows the other.
        """
        yield from self.sums
        own = f"tile * {self.width}, tile * {self.width} + 1"
        yield f"for first in range({own if alone else f'0, {self.base}, {self.width}'}):"
        yield f"    column = first + tl.arange(0, {self.width})[None, :]"
        yield f"    fits = live & (column < {self.base})"
        for (address, whole, dtype), factors in self.products.items():
            for name, _ in factors:
                yield f"    {name} = tl.full(({ROWS}, {self.width}), 0, {_kind(dtype)})"
            yield f"    for deep in range(0, {whole}, {DEPTH // dtype.itemsize}):"
            yield f"        k = deep + tl.arange(0, {DEPTH // dtype.itemsize})"
            mask = f"live & (k < {whole})[None, :]"
            yield f"        left = tl.load({address}, mask={mask}, other=0).to({TYPES[dtype]})"
            for name, factor in factors:
                mask = f"(k < {whole})[:, None] & (column < {self.base})"
                yield f"        right = tl.load({factor}, mask={mask}, other=0)"
                yield f"        {name} = tl.dot(left, right, {name}, input_precision=precision)"
        yield from (f"    {line}" for line in self.lines)

    def _value(self, value: Any, start: int) -> str:
        """The name of columns of a value, from ``start`` on; or the number that it is."""
        if isinstance(value, (bool, int, float)):
            return str(value) if math.isfinite(value) else f'float("{value}")'
        if not isinstance(value, fx.Node):
            raise UnwritableError(f"reads {value!r}")
        if value in self.layout.constants:
            return self._constant(value, start)
        one = width_of(value) == 1 and self.base > 1  # the same for all columns
        node, start = self.layout.piece(value, 0 if one else start, 1 if one else self.base)
        if isinstance(node, float):
            return str(node)
        key = node, start, one
        if key not in self.names:
            name = self.names[key] = f"v{len(self.names)}"
            if node in self.layout.given or self.layout.stage(node) < self.stage:
                self._read(node, start, name, one)
            elif one and width_of(node) > 1:
                raise CrossedError(node)
            else:
                self._make(node, start, name)
        return self.names[key]

    def _make(self, node: fx.Node, start: int, name: str) -> None:
        """What is made here."""
        if node.meta["dtype"] not in (*TYPES, torch.bool):
            raise UnwritableError(f"makes whole numbers ({node.target})")
        if start + self.base > width_of(node) > 1 or node.target in JOINED:
            raise CrossedError(node)
        if node.target in FORMULAS:
            parts = [self._value(part, start) for part in node.args]
            formula = FORMULAS[node.target].format(*parts, **{"alpha": 1, "value": 1, **node.kwargs})
            cast = f".to({_kind(node.meta['dtype'])})" if node.target is ATEN._to_copy.default else ""
            self.lines.append(f"{name} = {formula}{cast}")
        elif node.target is ATEN.sum.dim_IntList and node.args[1:] in (([1], True), ([-1], True)):
            (x, *_) = arguments(node)
            self.lines.append(f"{name} = {self._sum(width_of(x), '{0}', x)}")
        elif node.target in PRODUCTS:
            self._product(node, start, name)
        elif node.target is getitem:
            self._normalized(node, start, name)
        else:
            raise UnwritableError(f"calls {node.target}")

    def _constant(self, node: fx.Node, start: int) -> str:
        """What is the same in each row."""
        *outer, width = node.meta["shape"] or (1,)
        name = self.layout.constants[node]
        if any(size != 1 for size in outer):
            raise UnwritableError("reads a matrix by its elements")
        if width == 1:
            return _load(name, node.meta["dtype"])
        return _load(f"{name} + ({start} + column) * {name}_c", node.meta["dtype"], f"column < {self.base}")

    def _read(self, node: fx.Node, start: int, name: str, one: bool) -> None:
        """What was given, or written down before; one column of it, or all."""
        if node not in self.layout.addresses:
            raise CrossedError(node)
        if node in self.layout.roles.state:
            self.aligned &= not one and start % self.base == 0
        address = self.layout.addresses[node].format(column=start if one else f"({start} + column)")
        self.lines.append(f"{name} = {_load(address, node.meta['dtype'], 'live' if one else 'fits')}")

    def _product(self, node: fx.Node, start: int, name: str) -> None:
        """``a @ b``, or that and a sum."""
        if width_of(node) < self.base:
            raise CrossedError(node)
        *added, a, b = arguments(node)
        if b not in self.layout.constants or a.meta["dtype"] != b.meta["dtype"]:
            raise UnwritableError("multiplies by what is no constant matrix")
        if a.meta["dtype"] == torch.float64:
            raise UnwritableError("multiplies in 64 bits")
        left, first = self.layout.place(a)
        address = self.layout.addresses[left].format(column=f"({first} + k)[None, :]")
        self.matrices.add(b)
        matrix = self.layout.constants[b]
        factor = f"{matrix} + k[:, None] * {matrix}_r + ({start} + column) * {matrix}_c"
        factors = self.products.setdefault((address, width_of(a), a.meta["dtype"]), [])
        factors.append((f"{name}_product", factor))
        text = f"{node.kwargs.get('alpha', 1)} * {name}_product"
        for other in added:
            text = f"{node.kwargs.get('beta', 1)} * {self._value(other, start)} + {text}"
        self.lines.append(f"{name} = {text}")

    def _normalized(self, node: fx.Node, start: int, name: str) -> None:
        """One of the results of layer normalisation: the rows, their means, what they are divided by."""
        whole, place = arguments(node)
        if place == 0 and width_of(node) < self.base:
            raise CrossedError(node)
        if whole.target is ATEN.native_layer_norm.default:
            x, (size,), weight, bias, epsilon = arguments(whole)
            moments = self._moments(x, size, epsilon)
            if place:
                self.lines.append(f"{name} = {moments[place - 1]}")
                return
            parts = [self._value(part, start) for part in (x, *_affine(weight, bias))]
            self.lines.append("{0} = ({3} - {1}) * {2} * {4} + {5}".format(name, *moments, *parts))
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
            self.lines.append(f"{name} = {formula.format(*parts)}")
        else:
            raise UnwritableError(f"calls {whole.target}")

    def _moments(self, x: fx.Node, size: int, epsilon: float) -> tuple[str, str]:
        """Of each row the mean, and one over the deviation."""
        mean = f"({self._sum(size, '{0}', x)} / {size})"
        squares = self._sum(size, f"({{0}} - {mean}) * ({{0}} - {mean})", x)
        return mean, f"(1 / tl.sqrt({squares} / {size} + {epsilon}))"

    def _sum(self, size: int, formula: str, *values: Any) -> str:
        """The name of the sum of a row's elements."""
        key = formula, values
        if key not in self.names:
            name = self.names[key] = f"sum_{self.stage}_{self.base}_{len(self.names)}"
            row = Columns(self.layout, self.stage, size)
            element = formula.format(*(row._value(value, 0) for value in values))
            row.lines.append(f"{name} += tl.sum(tl.where(fits, {element}, 0), 1, keep_dims=True)")
            kind = _kind(values[0].meta["dtype"])
            self.sums += [f"{name} = tl.full(({ROWS}, 1), 0, {kind})", *row.text(alone=False)]
        return self.names[key]


def columns_of(layout: Layout, stage: int, outputs: Sequence[Output]) -> Iterator[Columns]:
    """What is made in a stage, by how many columns it has; pieces of one width go together."""
    made: dict[int, Columns] = {}
    for output in sorted(outputs, key=lambda output: output.width):
        fitting = (base for base in made if base > 1 and output.width in range(base, MANY * base + 1, base))
        base = next(fitting, output.width)
        made.setdefault(base, Columns(layout, stage, base)).write(output)
    yield from made.values()


def _affine(weight: Any, bias: Any) -> tuple[Any, Any]:
    """What normalised rows are multiplied by, and what is added."""
    return (1.0 if weight is None else weight), (0.0 if bias is None else bias)


def _kind(dtype: torch.dtype) -> str:
    """In which type is computed with numbers of a type."""
    return "tl.float64" if dtype == torch.float64 else "tl.float32"


def _load(address: str, dtype: torch.dtype, mask: str = "") -> str:
    """What is read at an address, as numbers to compute with."""
    text = f"tl.load({address}, mask={mask}, other=0)" if mask else f"tl.load({address})"
    if dtype == torch.bool:
        return f"({text} != 0)"
    return f"{text}.to({_kind(dtype)})"
