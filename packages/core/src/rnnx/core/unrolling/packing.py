"""Padded sequences without their padding, so that no step is computed on it and no mask is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from rnnx.core import state as states
from rnnx.core.state import State


@final
@dataclass(frozen=True)
class Packing:
    """Where the real steps of padded sequences lie when they are put one below the other.

    Rows come in order of falling length, so that the rows still running at a step are the first ones, and all
    rows of a step stand together.

    Attributes:
        rows: ``N``.
        steps: ``T``.
        sizes: How many rows run at each step, never more than before and never 0; their sum is ``M``.
        order: The rows in order of falling length, ``(N,)``; None where all are of length ``T``.
        places: ``(M,)``, where each packed row stands among ``T N`` places; None where all are real.

    Example:
        >>> x = torch.tensor([[[1.], [0.], [0.]], [[2.], [3.], [4.]]])
        >>> packing = Packing.of(x, torch.tensor([1, 3]))
        >>> packing.sizes
        [2, 1, 1]
        >>> packed = packing.pack(x)
        >>> packed.flatten().tolist()
        [2.0, 1.0, 3.0, 4.0]
        >>> packing.unpack(packed).flatten().tolist()
        [1.0, 0.0, 0.0, 2.0, 3.0, 4.0]
    """

    rows: int
    steps: int
    sizes: Sequence[int]
    order: Tensor | None = None
    places: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor, lengths: Tensor | None) -> Packing:
        """The packing of sequences.

        Args:
            x: ``(N, T, ...)``.
            lengths: ``(N,)``, 0 to ``T``, on any device; None where all are ``T``.
        """
        rows, steps = x.shape[:2]
        if lengths is None:
            return cls(rows, steps, [rows] * steps if rows else [])
        order = lengths.argsort(descending=True, stable=True)
        running = torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths[order]  # (T, N)
        sizes = [size for size in running.sum(1).tolist() if size]
        places = running.flatten().nonzero().squeeze(1)
        return cls(rows, steps, sizes, order.to(x.device), places.to(x.device))

    def pack(self, x: Tensor) -> Tensor:
        """Padded ``(N, T, F)`` to ``(M, F)``."""
        if self.order is None or self.places is None:
            return x.transpose(0, 1).flatten(0, 1)
        return x[self.order].transpose(0, 1).flatten(0, 1)[self.places]

    def unpack(self, packed: Tensor) -> Tensor:
        """Packed ``(M, F)`` to ``(N, T, F)``, zero where there is no step."""
        if self.order is None or self.places is None:
            return packed.unflatten(0, (self.steps, self.rows)).transpose(0, 1)
        flat = packed.new_zeros(self.steps * self.rows, packed.shape[1]).index_copy(0, self.places, packed)
        return flat.unflatten(0, (self.steps, self.rows)).transpose(0, 1)[self.order.argsort()]

    def sort(self, state: State) -> State:
        """A state's rows in the packing's order."""
        return state if self.order is None else states.select(state, self.order)

    def restore(self, state: State) -> State:
        """A state's rows in their own order again."""
        return state if self.order is None else states.select(state, self.order.argsort())
