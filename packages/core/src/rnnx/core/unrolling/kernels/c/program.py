"""A part of a plan as the text of a function in C, along whole sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

import torch
from torch import fx

from rnnx.core.unrolling.kernels.c import mathematics, sharing
from rnnx.core.unrolling.kernels.c.loops import TYPES, Loop, Product
from rnnx.core.unrolling.kernels.columns import laid_out
from rnnx.core.unrolling.kernels.layout import Roles, UnwritableError, width_of

FUNCTION: Final = """\
static void block(const long long *given, long long first, long long past) {{
    void (*multiply)(long long, long long, long long, const float *, long long, const float *, float *) =
        (void *) given[4];
    const long long rows = given[3], steps = given[5];
{head}
    long long start = 0;
    for (long long step = 0; step < steps; step++)
        start += {reverse} * sizes[step];
    for (long long done = 0; done < steps; done++) {{
        const long long step = {reverse} ? steps - 1 - done : done;
        const long long end = sizes[step] < past ? sizes[step] : past;
        start -= {reverse} * sizes[step];
{lines}
        start += !{reverse} * sizes[step];
    }}
    for (long long row = first, ends = steps; row < past; row++) {{
        while (!{reverse} && ends && sizes[ends - 1] <= row)
            ends--;
        const long long now = ends % 2 * rows + row;
{lasts}
    }}
}}

"""

# where a row is among those of all steps, and in its state before the step and after it
PLACES: Final = "place = start + row, now = done % 2 * rows + row, then = (done + 1) % 2 * rows + row"


@final
class Program(NamedTuple):
    """A function's text, and what it is to be given besides :class:`Roles`.

    Attributes:
        text: Of a function ``kernel`` of an array of whole numbers of 64 bits: what
            :func:`~rnnx.core.unrolling.kernels.c.sharing.shared` gives; the address of the function that
            multiplies (:func:`~rnnx.core.unrolling.kernels.c.products.multiply`); how many steps there are;
            of each of the rows' tensors how far one row is from the next; the addresses of these, of the
            state, ``(2, N, size)``, twice what the first step is given, of the state after the last step, of
            the constants, of the room, and of what is written down for a later stage only; and how many rows
            run at each step.
        scratch: The forms of what is written down for a later stage only.
        matrices: Which of the constants are to be in panels.
    """

    text: str
    scratch: Sequence[tuple[int, torch.dtype]]
    matrices: Collection[int]


def written(roles: Roles, reverse: bool) -> Program:
    """The function of a step.

    Args:
        roles: Nodes of a graph as :func:`~rnnx.core.unrolling.trace.traced` gives it.
        reverse: Whether it goes from the last step to the first.

    Raises:
        UnwritableError: the step holds what is not written.
    """
    layout, stages = laid_out(roles, Loop)
    products = [columns.products for stage in stages for columns in stage]
    made = list(dict.fromkeys(product for some in products for product in some.values()))
    scratch = [(f"scratch_{place}", *form) for place, form in enumerate(layout.scratch)]
    scratch += [(product.name, product.width, torch.float32) for product in made]
    kinds = {"row": roles.rows, "state": roles.state, "last": roles.state, "constant": roles.constants}
    kinds["room"] = roles.room
    named = [(f"{kind}_{place}", node) for kind, nodes in kinds.items() for place, node in enumerate(nodes)]
    pointers = [(name, _type(node)) for name, node in named]
    pointers += [(name, TYPES[dtype]) for name, _, dtype in scratch]
    first = 6 + len(roles.rows)
    head = [f"const long long row_{place}_r = given[{6 + place}];" for place, _ in enumerate(roles.rows)]
    for number, (name, kind) in enumerate(pointers, first):
        head.append(f"{kind} *restrict {name} = ({kind} *) given[{number}];")
    head.append(f"const long long *sizes = given + {first + len(pointers)};")
    head += [f"enum {{ {name}_c = 1 }};" for name, _ in named]
    lasts = [
        f"__builtin_memcpy(last_{place} + row * {width}, state_{place} + now * {width}, "
        f"{width} * sizeof *last_{place});"
        for place, width in enumerate(map(width_of, roles.state))
    ]
    block = FUNCTION.format(
        head=_indented(head, 1),
        reverse=int(reverse),
        lines=_indented(_stages(stages), 2),
        lasts=_indented(lasts, 2),
    )
    multiplied = {product.matrix for product in made}
    return Program(
        mathematics.TEXT + block + sharing.TEXT,
        [(width, dtype) for _, width, dtype in scratch],
        {place for place, node in enumerate(roles.constants) if layout.constants[node] in multiplied},
    )


def _stages(stages: Sequence[Sequence[Loop]]) -> Iterator[str]:
    """The lines of one stage after the other, of all rows where there are products, and else row by row."""
    inside = False
    for stage in stages:
        products = dict.fromkeys(product for columns in stage for product in columns.products.values())
        if inside and products:
            yield "}"
            inside = False
        for product in products:
            yield from _multiplied(product)
        if not inside:
            yield "for (long long row = first; row < end; row++) {"
            yield f"    const long long {PLACES};"
            inside = True
        for columns in stage:
            yield from (f"    {line}" for line in columns.text())
    if inside:
        yield "}"


def _multiplied(product: Product) -> Iterator[str]:
    """The lines of a product of all rows."""
    yield "{"
    yield "    const float *left[2];"
    yield "    for (int next = 0; next < 2; next++) {"
    yield f"        const long long row = first + next, {PLACES};"
    yield f"        left[next] = {product.address};"
    yield "    }"
    yield f"    multiply(end - first, {product.width}, {product.depth}, left[0], left[1] - left[0], "
    yield f"        {product.matrix}, {product.name} + first * {product.width});"
    yield "}"


def _indented(lines: Iterable[str], deep: int) -> str:
    return "\n".join("    " * deep + line for line in lines)


def _type(node: fx.Node) -> str:
    """In which type numbers of a value lie in memory; whole ones that stay as they are can be read."""
    dtype = node.meta["dtype"]
    if dtype == torch.int64 and not node.meta["by_rows"]:
        return "long long"
    if dtype not in TYPES:
        raise UnwritableError(f"reads or makes {dtype}")
    return TYPES[dtype]
