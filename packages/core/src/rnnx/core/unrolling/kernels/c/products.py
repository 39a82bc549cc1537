"""Products of rows with a matrix that stays as it is, as a function in C.

A BLAS lays a matrix out for the processor each time that it is multiplied with, which takes a good part of a
product of a few rows; and it is called once a product. Here a matrix is laid out once, in panels of as many
columns as two registers hold, and a product goes along a panel with a few rows at a time, whose results stay
in registers meanwhile (Goto & van de Geijn 2008).
"""

from __future__ import annotations

from ctypes import c_void_p, cast
from functools import cache
from typing import Final, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import pad

from rnnx.core.unrolling.kernels.c.compiler import compiled
from rnnx.core.unrolling.kernels.layout import UnwritableError


@final
class Tile(NamedTuple):
    """What of a product is made in registers, twice as many columns as one holds.

    Attributes:
        rows: How many at a time.
        numbers: How many a register holds.
    """

    rows: int
    numbers: int


TILES: Final = {"AVX2": Tile(6, 8), "AVX512": Tile(8, 16)}  # of the processors on which it was measured

TEXT: Final = """\
#define each(i, size) _Pragma("GCC unroll 16") for (int i = 0; i < size; i++)
enum {{ numbers = {numbers}, wide = 2 * numbers }};
typedef float vector __attribute__((vector_size(4 * numbers), aligned(4), may_alias));

static inline __attribute__((always_inline)) void tile(
    int rows, int columns, long long depth, const float *left, long long apart, const float *panel,
    float *made, long long width
) {{
    vector sums[{rows}][2];
    each(i, rows) each(j, 2) sums[i][j] = (vector) {{0}};
    for (long long k = 0; k < depth; k++) {{
        vector right[2];
        each(j, 2) right[j] = *(const vector *) (panel + k * wide + j * numbers);
        each(i, rows) each(j, 2) sums[i][j] += left[i * apart + k] * right[j];
    }}
    if (columns == wide)
        each(i, rows) each(j, 2) *(vector *) (made + i * width + j * numbers) = sums[i][j];
    else
        each(i, rows) for (int j = 0; j < columns; j++)
            made[i * width + j] = sums[i][j / numbers][j % numbers];
}}

/* with as many rows as a constant says, so that their results are in registers */
static void some(
    int rows, int columns, long long depth, const float *left, long long apart, const float *panel,
    float *made, long long width
) {{
    switch (rows) {{
{cases}
    }}
}}

void kernel(
    long long rows, long long width, long long depth, const float *left, long long apart,
    const float *matrix, float *made
) {{
    const long long parts = (rows + {rows} - 1) / {rows};
    for (long long column = 0; column < width; column += wide) {{
        const int columns = width - column < wide ? width - column : wide;
        const float *panel = matrix + column * depth;
        for (long long part = 0; part < parts; part++) {{
            const long long first = rows * part / parts, past = rows * (part + 1) / parts;
            const float *from = left + first * apart;
            float *to = made + first * width + column;
            some(past - first, columns, depth, from, apart, panel, to, width);
        }}
    }}
}}
"""


def measured() -> bool:
    """Whether this processor is one on which it pays."""
    return torch.backends.cpu.get_cpu_capability() in TILES


def _tile() -> Tile:
    """This processor's.

    Raises:
        UnwritableError: it was not measured on its like.
    """
    if not measured():
        raise UnwritableError("multiplies on a processor on which it may not pay")
    return TILES[torch.backends.cpu.get_cpu_capability()]


@cache
def multiply() -> int:
    """The address of a function that multiplies.

    It is given ``rows``, ``width`` and ``depth``, the address of rows ``(rows, depth)`` and how far one is
    from the next, that of a matrix ``(depth, width)`` as :func:`in_panels` gives it, and that of room for the
    product, ``(rows, width)``.

    Raises:
        UnwritableError: not for this processor.
        CompilerError: it cannot be compiled.
    """
    rows, numbers = _tile()
    given = "columns, depth, left, apart, panel, made, width"
    cases = "\n".join(f"    case {some}: tile({some}, {given}); break;" for some in range(1, rows + 1))
    text = TEXT.format(rows=rows, numbers=numbers, cases=cases)
    return cast(compiled(text, ("-O2", "-ffp-contract=fast")), c_void_p).value or 0


def in_panels(matrix: Tensor) -> Tensor:
    """A matrix ``(depth, width)`` in panels, ``(panels, depth, columns)``; the last one ends in zeros."""
    wide = 2 * _tile().numbers
    depth, width = matrix.shape
    panels = pad(matrix, (0, -width % wide)).view(depth, -(-width // wide), wide)  # (depth, panels, columns)
    return panels.transpose(0, 1).contiguous()
