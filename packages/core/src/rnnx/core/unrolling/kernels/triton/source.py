"""A step of a plan as the text of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import Final, NamedTuple, final

import torch

from rnnx.core.unrolling.kernels.columns import laid_out
from rnnx.core.unrolling.kernels.layout import Layout, Roles, UnwritableError
from rnnx.core.unrolling.kernels.triton.tiles import ROWS, Tiles

FEWER: Final = 4  # rows of a block where there is no product
MOST: Final = 4 << 20  # bytes of matrices that a block of rows reads at each step

HEAD: Final = '''\
import triton
import triton.language as tl


@triton.jit
def exp(x):
    return tl.exp(x)


@triton.jit
def log(x):
    return tl.log(x)


@triton.jit
def sin(x):
    return tl.sin(x)


@triton.jit
def cos(x):
    return tl.cos(x)


@triton.jit
def sqrt(x):
    return tl.sqrt(x)


@triton.jit
def absolute(x):
    return tl.abs(x)


@triton.jit
def where(condition, x, y):
    return tl.where(condition, x, y)


@triton.jit
def maximum(x, y):
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x, y):
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def floor(x):
    return tl.floor(x)


@triton.jit
def erf(x):
    return tl.erf(x)


@triton.jit
def log_of_more(x):
    """log(1 + x), from what rounding takes of 1 + x."""
    more = 1 + x
    less = more - 1
    near = tl.log(more) * (x / tl.where(less == 0, 1, less))
    return tl.where(less == 0, x, tl.where(more > 1e30, tl.log(more), near))


@triton.jit
def exp_less_one(x):
    """exp(x) - 1, by tanh(x / 2) where the exponential is near 1."""
    half = tanh(tl.where(tl.abs(x) < 1, x / 2, 0))
    return tl.where(tl.abs(x) < 1, 2 * half / (1 - half), tl.exp(x) - 1)


@triton.jit
def sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def tanh(x):
    """As exact near 0 as elsewhere: there by its series, elsewhere by the exponential."""
    u = x * x
    series = 21844 / 6081075 - u * (929569 / 638512875)
    series = 62 / 2835 - u * (1382 / 155925 - u * series)
    series = 1 - u * (1 / 3 - u * (2 / 15 - u * (17 / 315 - u * series)))
    e = tl.exp(-2 * tl.abs(x))
    far = (1 - e) / (1 + e)
    return tl.where(u < 0.0225, x * series, tl.where(x < 0, -far, far))


@triton.jit
def rounded(x):
    """Halves to the even number."""
    down = tl.floor(x)
    rest = x - down
    up = (rest > 0.5) | ((rest == 0.5) & (down != 2 * tl.floor(down / 2)))
    return tl.where(up, down + 1, down)


@triton.jit
def remainder(x, y):
    """Of the sign of y; also where a GPU's quotient is a unit in the last place off a whole number."""
    rest = x - tl.floor(x / y) * y
    rest = tl.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)
    return tl.where(tl.abs(rest) >= tl.abs(y), rest - y, rest)


@triton.jit(do_not_specialize=["rows"], do_not_specialize_on_alignment=["counts", "starts", "sizes"])
def kernel({given}, precision: tl.constexpr):
    block, tile = tl.program_id(0), tl.program_id(1)
    row = block * {rows} + tl.arange(0, {rows})[:, None]
    steps = tl.load(counts + block)
    for done in range(steps):
        step = {step}
        place = tl.load(starts + step) + row
        live = row < tl.load(sizes + step)
        now, then = done % 2 * rows + row, (done + 1) % 2 * rows + row
'''


@final
class Source(NamedTuple):
    """A kernel's text, and what it is to be given besides :class:`Roles`.

    Attributes:
        text: Of a module with a function ``kernel`` of ``counts``, the steps of each block; of each step
            ``starts``, its first row, and ``sizes``, how many run; ``rows``, their number; ``row_i`` with its
            two strides; ``state_i``, ``(2, N, size)``, twice what the first step is given; ``constant_i``
            with its two strides; ``room_i``; ``scratch_i``, ``(N, width)``; and ``precision``, Triton's.
        rows: How many rows a block has.
        columns: How many blocks of columns there are.
        scratch: The forms of what is written down for a later stage only.
    """

    text: str
    rows: int
    columns: int
    scratch: Sequence[tuple[int, torch.dtype]]


def written(roles: Roles, reverse: bool) -> Source:
    """The kernel of a step.

    Args:
        roles: Nodes of a graph as :func:`~rnnx.core.unrolling.trace.traced` gives it.
        reverse: Whether it goes from the last step to the first.

    Raises:
        UnwritableError: the step holds what is not written, or multiplies by matrices of more than
            :data:`MOST` bytes, for which torch's own products, by the whole of a GPU, are faster.
    """
    layout, stages = laid_out(roles, Tiles)
    groups = list(chain.from_iterable(stages))
    matrices = set().union(*(made.matrices for made in groups))
    size = sum(matrix.meta["dtype"].itemsize * prod(matrix.meta["shape"]) for matrix in matrices)
    if size > MOST:
        raise UnwritableError(f"multiplies by matrices of {size} bytes")
    alone = [made.alone for made in groups] == [True]
    rows = FEWER if alone else ROWS
    head = HEAD.format(
        given=", ".join(_parameters(layout)),
        rows=rows,
        step="steps - 1 - done" if reverse else "done",
    )
    lines: list[str] = []
    for several in stages:
        for made in several:
            lines += made.of_one() if alone else made.text()
        lines.append("tl.debug_barrier()")
    blocks = -(-groups[0].base // groups[0].width) if alone else 1
    return Source(head + "".join(f"        {line}\n" for line in lines), rows, blocks, layout.scratch)


def _parameters(layout: Layout) -> Iterator[str]:
    """The kernel's, in their order."""
    yield from ("counts", "starts", "sizes", "rows")
    for place, _ in enumerate(layout.roles.rows):
        yield from (f"row_{place}", f"row_{place}_r", f"row_{place}_c")
    yield from (f"state_{place}" for place, _ in enumerate(layout.roles.state))
    for name in layout.constants.values():
        yield from (name, f"{name}_r", f"{name}_c")
    yield from (f"room_{place}" for place, _ in enumerate(layout.roles.room))
    yield from (f"scratch_{place}" for place, _ in enumerate(layout.scratch))
