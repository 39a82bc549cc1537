"""Compiles the kernels of cells for GPUs, for which no GPU is needed.

``python -m tests.core.unrolling.kernels.for_gpus cell ...`` prints a line for each kernel and kind of GPU:
the bytes of fast memory that a block of it takes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.registry import find
from rnnx.core.unrolling.kernels.triton.kernel import WARPS, Kernel, compiled
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.unrolled import unrolled

CAPABILITIES = (80, 90)  # of NVIDIA's A100 and H100
TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int64: "*i64", torch.bool: "*i1"}
SIXTEENTHS = [["tt.divisibility", 16]]  # as Triton finds out of what it is given


def compile_(self: Kernel, device: torch.device, blocks: int, given: Sequence[Any]) -> None:
    """Compiles a kernel for what it would be launched with."""
    import triton
    from triton.backends.compiler import GPUTarget

    kernel = compiled(self.source.text)
    signature, constants, attributes = {}, {}, {}
    for place, (name, value) in enumerate(zip(kernel.arg_names, [*given, "tf32x3"], strict=True)):
        if isinstance(value, Tensor):
            signature[name] = TYPES[value.dtype]
            attributes |= {} if value.dtype == torch.int64 else {(place,): SIXTEENTHS}
        elif isinstance(value, str) or (value == 1 and name != "rows"):
            signature[name], constants[place,] = "constexpr", value
        else:
            signature[name] = "i32"
            attributes |= {(place,): SIXTEENTHS} if value % 16 == 0 and name != "rows" else {}
    source = triton.compiler.ASTSource(kernel, signature, constants, attributes)
    for capability in CAPABILITIES:
        target = GPUTarget("cuda", capability, 32)
        made = triton.compile(source, target=target, options={"num_warps": WARPS})
        assert made.asm["cubin"]
        way = "back" if self.reverse else "forth"
        sys.stdout.write(f"{way}, {capability}: {made.metadata.shared}\n")


def compile_kernels(cell: Cell, autocast: bool) -> None:
    """Compiles both kernels of a cell."""
    x = torch.randn(2, cell.input_size)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        z = cell.project(x)
        state = cell.initial_state(2, x)
        plan = taken_apart(cell, z, state, kernels=Kernels.TRITON)
        assert isinstance(plan.forward.steps, Kernel)
        assert isinstance(plan.backward.steps, Kernel)
        y, _ = unrolled(plan, cell, z, [2], state)
        y.sum().backward()


if __name__ == "__main__":
    Kernel._launch = compile_  # type: ignore[method-assign]
    for name in sys.argv[1:]:
        for autocast in (False, True):
            sys.stdout.write(f"{name} in {16 if autocast else 32} bits\n")
            compile_kernels(find("cell", name).load()(64, hidden_size=128), autocast)
