"""Functions in C: a part of a plan along whole sequences, and some operations of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Final, final

import torch
from torch import Tensor, fx

from rnnx.core.unrolling.circumstances import counted
from rnnx.core.unrolling.kernels.c.compiler import compiled, compiler
from rnnx.core.unrolling.kernels.c.products import in_panels, multiply
from rnnx.core.unrolling.kernels.c.program import written
from rnnx.core.unrolling.kernels.c.sharing import parallel, shared
from rnnx.core.unrolling.kernels.layout import Roles, width_of
from rnnx.core.unrolling.time_loop import TimeLoop

NUMBERS: Final = 1 << 16  # of one step, up to which one processor is as fast as several


def pays(dtype: torch.dtype, numbers: int) -> bool:
    """Whether functions in C are to do what is done step by step on a CPU.

    So it is in 32 bits where there is a compiler, unless something is told of each operation; and with
    several threads that cannot be called, in steps that are too small to be shared among them.

    Args:
        dtype: Of what is computed with.
        numbers: Of the projected inputs of a step.
    """
    return (
        dtype == torch.float32
        and (torch.get_num_threads() == 1 or numbers <= NUMBERS or bool(parallel()))
        and not counted()
        and compiler() is not None
    )


@final
class Native(TimeLoop):
    """A loop over time in C, in which torch's threads take blocks of rows.

    Args:
        roles: What the step is called with and gives.
        constants: All constants; the step's are some of them.
        reverse: Whether it goes back.

    Raises:
        UnwritableError: the step holds what is not written.
        CompilerError: it cannot be compiled.
    """

    def __init__(self, roles: Roles, constants: Sequence[fx.Node], reverse: bool) -> None:
        program = written(roles, reverse)
        self.read = [constants.index(node) for node in roles.constants]
        self.matrices, self.scratch = program.matrices, program.scratch
        self.times = multiply() if program.matrices else 0
        self.function = compiled(program.text)

    def prepared(self, constants: Sequence[Tensor]) -> Sequence[Tensor]:
        return [
            in_panels(constants[place]) if number in self.matrices else constants[place].contiguous()
            for number, place in enumerate(self.read)
        ]

    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        count = len(state[0]) if state else sizes[0]
        rows = list(map(_near, rows))
        last = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in state]
        scratch = [torch.empty(count, width, dtype=dtype) for width, dtype in self.scratch]
        states = [torch.stack((tensor, tensor)) for tensor in state]  # (2, N, size), before and after a step
        numbers = [*shared(count), self.times, len(sizes)]
        numbers += [tensor.stride(0) for tensor in rows]
        numbers += [t.data_ptr() for t in (*rows, *states, *last, *constants, *room, *scratch)]
        self.function(pack(f"{len(numbers) + len(sizes)}q", *numbers, *sizes))
        return last


def _near(rows: Tensor) -> Tensor:
    """Rows ``(N, size)`` whose columns lie side by side, or ``(N,)``."""
    near = rows.dim() == 1 or rows.stride(1) == 1 or rows.shape[1] == 1
    return rows if near else rows.contiguous()


def looped(
    rows: Sequence[fx.Node], constants: Sequence[fx.Node], room: Sequence[fx.Node], made: Sequence[fx.Node]
) -> Callable[..., list[Tensor]]:
    """A function of rows ``(N, size)``, constants, and room ``(N, size)`` that is contiguous, which it fills.

    It gives what else is made, ``(N, size)``. Of rows of one number all may be ``(N,)``, too.

    Args:
        rows: What it reads of each row, one at least.
        constants: What is the same in each; matrices are
            :func:`~rnnx.core.unrolling.kernels.c.products.in_panels`.
        room: What it writes into tensors that it is given.
        made: What it gives.

    Raises:
        UnwritableError: something is not written in C.
        CompilerError: it cannot be compiled.
    """
    program = written(Roles(rows, [], constants, [], [*room, *made]), reverse=False)
    function = compiled(program.text)
    times = multiply() if program.matrices else 0
    many, read = len(rows), len(rows) + len(constants)
    widths = [width_of(node) for node in rows]
    forms = [(node.meta["shape"], node.meta["dtype"]) for node in made]
    forms += [((width,), dtype) for width, dtype in program.scratch]
    packed = Struct(f"{6 + many + read + len(room) + len(forms) + 1}q").pack
    few = NUMBERS // max(1, sum(widths))

    def loop(*given: Tensor) -> list[Tensor]:
        far = widths
        if not all(map(Tensor.is_contiguous, given[:read])):
            given = (*map(_near, given[:many]), *map(Tensor.contiguous, given[many:read]), *given[read:])
            far = [tensor.stride(0) for tensor in given[:many]]
        first = given[0]
        count = first.shape[0]
        results = [first.new_empty(count, *shape, dtype=dtype) for shape, dtype in forms]
        addresses = (*map(Tensor.data_ptr, given), *map(Tensor.data_ptr, results))
        function(packed(*shared(count, few), times, 1, *far, *addresses, count))
        return results[: len(made)]

    return loop
