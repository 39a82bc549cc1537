"""A part of a plan along whole sequences in one launch."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any, Final, final

import torch
from torch import Tensor

from rnnx.core.unrolling.circumstances import exact
from rnnx.core.unrolling.kernels.triton.source import Source
from rnnx.core.unrolling.time_loop import TimeLoop

WARPS: Final = 8  # of 32 threads, that make a block together


@final
class Kernel(TimeLoop):
    """A loop over time by a Triton kernel.

    A product of 32 bits is made of three products of 19 bits (``tf32x3``), nearly as exact as torch's own; of
    one, where :func:`torch.set_float32_matmul_precision` allows it.

    Args:
        source: The kernel.
        reverse: Whether it goes back.
    """

    def __init__(self, source: Source, reverse: bool) -> None:
        self.source, self.reverse = source, reverse

    def prepared(self, constants: Sequence[Tensor]) -> Sequence[Tensor]:
        return constants

    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        count = len(state[0]) if state else sizes[0]
        device = (*rows, *state)[0].device
        lives = torch.tensor(sizes)
        starts = lives.cumsum(0) - lives
        over = torch.searchsorted(lives.flip(0), torch.arange(count), right=True)
        steps = len(sizes) - over  # (N,), of each row
        counts = steps[:: self.source.rows]
        ends = counts.repeat_interleave(self.source.rows)[:count] if self.reverse else steps
        parts = (counts, starts, lives, ends % 2)
        numbers = torch.empty(sum(map(len, parts)), dtype=torch.long, pin_memory=device.type != "cpu")
        there = torch.cat(parts, out=numbers).to(device, non_blocking=True)
        counts, starts, lives, ends = there.split([len(part) for part in parts])

        states = [torch.stack((tensor, tensor)) for tensor in state]  # (2, N, size), before and after a step
        scratch = [
            torch.empty(count, width, dtype=dtype, device=device) for width, dtype in self.source.scratch
        ]
        given: list[Any] = [counts, starts, lives, count]
        for tensor in rows:
            given += [tensor, tensor.stride(0), tensor.stride(-1) if tensor.dim() > 1 else 0]
        given += states
        for tensor in constants:
            given += [tensor, *_strides(tensor)]
        self._launch(device, len(counts), [*given, *room, *scratch])
        return [tensor[ends, torch.arange(count, device=device)] for tensor in states]

    def _launch(self, device: torch.device, blocks: int, given: Sequence[Any]) -> None:
        precision = "ieee" if torch.version.hip else "tf32x3" if exact() else "tf32"
        with nullcontext() if device.type == "cpu" else torch.get_device_module(device).device(device):
            kernel = compiled(self.source.text)[blocks, self.source.columns]
            kernel(*given, precision=precision, num_warps=WARPS)


def _strides(tensor: Tensor) -> tuple[int, int]:
    """From row to row and from column to column."""
    return (tensor.stride(0), tensor.stride(-1)) if tensor.dim() else (0, 0)


@cache
def compiled(text: str) -> Any:
    """The kernel of a text of :func:`~rnnx.core.unrolling.kernels.triton.source.written`.

    Nothing of what a file or a user says is in it but numbers. It is where Python's tracebacks look for it,
    and so does Triton.
    """
    name = f"<kernel {hashlib.sha256(text.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(text, name, "exec"), scope)
    return scope["kernel"]
