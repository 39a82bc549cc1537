"""What is made by elements as a function in C: what would be several passes over rows is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_char_p
from struct import Struct
from typing import Any, ClassVar, Final, final

import torch
from torch import Tensor, fx

from rnnx.core.state import State
from rnnx.core.unrolling.circumstances import counted
from rnnx.core.unrolling.kernels.columns import Columns, laid_out
from rnnx.core.unrolling.kernels.compiler import compiled, compiler
from rnnx.core.unrolling.kernels.layout import Layout, Roles, UnwritableError, width_of

TYPES: Final = {torch.float32: "float", torch.bool: "_Bool"}

STACK: Final = 1 << 18  # bytes of a row that are written down for a later stage
NUMBERS: Final = 1 << 16  # of a step's projected inputs, up to which one processor is as fast as several

HEAD: Final = """\
#define where(condition, x, y) ((condition) ? (x) : (y))
#define absolute(x) __builtin_fabsf(x)
#define sqrt(x) __builtin_sqrtf(x)
#define log(x) __builtin_logf(x)
#define sin(x) __builtin_sinf(x)
#define cos(x) __builtin_cosf(x)
#define rounded(x) __builtin_rintf(x)

/* x y + z, rounded once where the processor can do so */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define with(x, y, z) __builtin_fmaf(x, y, z)
#else
#define with(x, y, z) ((x) * (y) + (z))
#endif

/* 2 to the power of a whole number from -126 to 127 */
static inline float power(float n) {
    union { int bits; float number; } two;
    two.bits = ((int) n + 127) << 23;
    return two.number;
}

/* exp(x) - 1 of a number of at most ln 2 / 2, by its series */
static inline float series(float x) {
    float rest = with(x, with(x, with(x, 1 / 5040.0f, 1 / 720.0f), 1 / 120.0f), 1 / 24.0f);
    return with(x * x, with(x, with(x, rest, 1 / 6.0f), 0.5f), x);
}

/* what is left of x, of at most ln 2 / 2, when n times ln 2 is taken away, in two parts */
static inline float left(float x, float n) {
    return with(n, 2.12194440e-4f, with(n, -0.693359375f, x));
}

static inline float exp(float x) {
    float y = x < -104 ? -104 : x;
    y = y > 89 ? 89 : y;
    float n = __builtin_rintf(y * 1.44269504f), half = __builtin_rintf(n * 0.5f);
    return (1 + series(left(y, n))) * power(half) * power(n - half);
}

static inline float sigmoid(float x) {
    float y = x < -88 ? 88 : -x;
    y = y < -87 ? -87 : y;
    float n = __builtin_rintf(y * 1.44269504f), two = power(n);
    return 1 / (1 + with(series(left(y, n)), two, two));
}

static inline float tanh(float x) {
    float y = x < -10 ? -20 : 2 * x;
    y = y > 20 ? 20 : y;
    float n = __builtin_rintf(y * 1.44269504f), two = power(n);
    float less = with(series(left(y, n)), two, two - 1); /* exp(2 x) - 1, exact near 0 too */
    return less / (less + 2);
}

static inline float maximum(float x, float y) {
    return x != x || x > y ? x : y;
}

static inline float minimum(float x, float y) {
    return x != x || x < y ? x : y;
}

static inline float remainder(float x, float y) {
    float rest = __builtin_fmodf(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

"""


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
        self.totals: list[str] = []

    def text(self) -> Iterator[str]:
        yield from self.sums
        yield "#pragma omp simd" + "".join(f" reduction(+:{name})" for name in self.totals)
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

    def added(self, name: str, text: str) -> str:
        self.totals.append(name)
        return f"{name} += {text};"

    def zero(self, name: str, dtype: torch.dtype) -> str:
        return f"float {name} = 0;"

    def product(self, node: fx.Node, start: int, added: Sequence[Any], a: fx.Node, b: fx.Node) -> str:
        raise UnwritableError(f"calls {node.target}")


def pays(z: Tensor, state: State) -> bool:
    """Whether what steps make by elements is to be made by functions in C.

    So it is in 32 bits on a processor, where there is a compiler; with several threads only of steps that are
    too small to be shared among them; and unless something is told of each operation.

    Args:
        z: Projected inputs of all steps, ``(M, P)``.
        state: Tensors ``(N, size)``.
    """
    rows = len(state[0]) if state else len(z)
    return (
        z.dtype == torch.float32
        and (torch.get_num_threads() == 1 or rows * z.shape[1] <= NUMBERS)
        and not counted()
        and compiler() is not None
    )


def looped(
    rows: Sequence[fx.Node], constants: Sequence[fx.Node], room: Sequence[fx.Node], made: Sequence[fx.Node]
) -> Callable[..., list[Tensor]]:
    """A function of rows ``(N, size)``, constants, and room ``(N, size)`` that is contiguous, which it fills.

    It gives what else is made, ``(N, size)``. It takes one processor's time.

    Args:
        rows: What it reads of each row, one at least.
        constants: What is the same in each.
        room: What it writes into tensors that it is given.
        made: What it gives.

    Raises:
        UnwritableError: something is not written in C.
        CompilerError: it cannot be compiled.
    """
    function = compiled(written(rows, constants, [*room, *made]))
    function.argtypes = [c_char_p]
    many, read = len(rows), len(rows) + len(constants)
    widths = [width_of(node) for node in rows]
    forms = [(width_of(node), node.meta["dtype"]) for node in made]
    packed = Struct(f"{1 + many + read + len(room) + len(made)}q").pack

    def loop(*given: Tensor) -> list[Tensor]:
        far = widths
        if not all(map(Tensor.is_contiguous, given[:read])):
            given = (*map(_near, given[:many]), *map(Tensor.contiguous, given[many:read]), *given[read:])
            far = [tensor.stride(0) for tensor in given[:many]]
        first = given[0]
        size = first.shape[0]
        results = [first.new_empty(size, width, dtype=dtype) for width, dtype in forms]
        function(packed(size, *far, *map(Tensor.data_ptr, given), *map(Tensor.data_ptr, results)))
        return results

    return loop


def _near(rows: Tensor) -> Tensor:
    """Rows ``(N, size)`` whose columns lie side by side."""
    return rows if rows.stride(1) == 1 or rows.shape[1] == 1 else rows.contiguous()


def written(rows: Sequence[fx.Node], constants: Sequence[fx.Node], room: Sequence[fx.Node]) -> str:
    """The text of ``kernel`` of an array of whole numbers of 64 bits.

    They are the number of rows; of what is read of them how far one is from the next; and the addresses of
    that, of the constants, and of the room.

    Raises:
        UnwritableError: something is not written in C.
    """
    layout, stages = laid_out(Roles(rows, [], constants, [], room), Loop)
    size = sum(width * dtype.itemsize for width, dtype in layout.scratch)
    if size > STACK:
        raise UnwritableError(f"keeps {size} bytes of a row")
    head = ["const long long rows = given[0];"]
    kinds = {"row": rows, "constant": constants, "room": room}
    named = [(f"{kind}_{place}", node) for kind, nodes in kinds.items() for place, node in enumerate(nodes)]
    head += [f"const long long row_{place}_r = given[{1 + place}];" for place, _ in enumerate(rows)]
    for number, (name, node) in enumerate(named, 1 + len(rows)):
        address = f"{'' if node in room else 'const '}{_type(node.meta['dtype'])} *"
        head.append(f"{address}restrict {name} = ({address}) given[{number}];")
    head += [f"enum {{ {name}_c = 1 }};" for name, _ in named]
    lines = ["enum { row = 0 };"]
    lines += [
        f"{_type(dtype)} scratch_{place}[{width}];" for place, (width, dtype) in enumerate(layout.scratch)
    ]
    lines += [line for stage in stages for columns in stage for line in columns.text()]
    return (
        f"{HEAD}void kernel(const long long *given) {{\n"
        + "".join(f"    {line}\n" for line in head)
        + "    for (long long place = 0; place < rows; place++) {\n"
        + "".join(f"        {line}\n" for line in lines)
        + "    }\n}\n"
    )


def _type(dtype: torch.dtype) -> str:
    if dtype not in TYPES:
        raise UnwritableError(f"reads or makes {dtype}")
    return TYPES[dtype]
