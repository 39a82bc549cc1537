"""The text of what a Triton kernel makes at the same columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.columns import Columns
from rnnx.core.unrolling.kernels.layout import Layout, UnwritableError, width_of

ROWS: Final = 16  # of a block: the fewest that a product of Triton's takes
WIDTH: Final = 64  # columns at once; half of them where there are many products
DEPTH: Final = 128  # bytes of a row that a product reads at once

TYPES: Final = {
    torch.float64: "tl.float64",
    torch.float32: "tl.float32",
    torch.bfloat16: "tl.bfloat16",
    torch.float16: "tl.float16",
}


@final
class Tiles(Columns):
    """The text of what is made at the same columns of a block of rows, in Triton's language.

    Args:
        layout: Where all is.
        stage: In which stage they are made.
        base: How many they are.
    """

    types: ClassVar[Sequence[torch.dtype]] = (*TYPES, torch.bool)

    def __init__(self, layout: Layout, stage: int, base: int) -> None:
        super().__init__(layout, stage, base)
        self.products: dict[tuple[str, int, torch.dtype], list[tuple[str, str]]] = {}
        self.matrices: set[fx.Node] = set()

    @property
    def alone(self) -> bool:
        """Whether no column reads what another one made."""
        return self.aligned and not self.sums and not self.products

    @property
    def width(self) -> int:
        """How many columns are made at once."""
        many = sum(map(len, self.products.values())) > 4
        return max(16, min(WIDTH // 2 if many else WIDTH, 1 << (self.base - 1).bit_length()))

    def text(self) -> Iterator[str]:
        yield from self._text(f"0, {self.base}, {self.width}")

    def of_one(self) -> Iterator[str]:
        """Its lines where each block of columns is a program's own."""
        yield from self._text(f"tile * {self.width}, tile * {self.width} + 1")

    def _text(self, blocks: str) -> Iterator[str]:
        yield from self.sums
        yield f"for first in range({blocks}):"
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

    def number(self, number: float) -> str:
        return str(number) if math.isfinite(number) else f'float("{number}")'

    def load(self, address: str, dtype: torch.dtype, within: str) -> str:
        text = f"tl.load({address}, mask={within}, other=0)" if within else f"tl.load({address})"
        if dtype == torch.bool:
            return f"({text} != 0)"
        return f"{text}.to({_kind(dtype)})"

    def store(self, address: str, value: str) -> str:
        return f"tl.store({address}, {value}, mask=fits)"

    def cast(self, text: str, dtype: torch.dtype) -> str:
        return f"{text}.to({_kind(dtype)})"

    def named(self, name: str, text: str) -> str:
        return f"{name} = {text}"

    def added(self, name: str, text: str, largest: bool) -> str:
        if largest:
            some = f"tl.max(tl.where(fits, {text}, {self.number(-math.inf)}), 1, keep_dims=True)"
            return f"{name} = tl.maximum({name}, {some})"
        return f"{name} += tl.sum(tl.where(fits, {text}, 0), 1, keep_dims=True)"

    def first(self, name: str, dtype: torch.dtype, largest: bool) -> str:
        return f"{name} = tl.full(({ROWS}, 1), {self.number(-math.inf if largest else 0)}, {_kind(dtype)})"

    def product(self, node: fx.Node, start: int, added: Sequence[Any], a: fx.Node, b: fx.Node) -> str:
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
        name = f"product_{sum(map(len, self.products.values()))}"
        factors.append((name, factor))
        text = f"{node.kwargs.get('alpha', 1)} * {name}"
        for other in added:
            text = f"{node.kwargs.get('beta', 1)} * {self._value(other, start)} + {text}"
        return text


def _kind(dtype: torch.dtype) -> str:
    """In which type is computed with numbers of a type."""
    return "tl.float64" if dtype == torch.float64 else "tl.float32"
