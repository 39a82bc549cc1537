"""What is done step by step along packed sequences, and handed on from step to step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from rnnx.core.unrolling.kernels.c.products import in_panels

Part: TypeAlias = Callable[..., Sequence[Any]]


class TimeLoop(ABC):
    """One part of a plan, done at all steps of packed sequences.

    What has a row for each step of each sequence, ``(M, ...)``, has them one below the other, step by step;
    rows come in order of falling length.
    """

    @abstractmethod
    def prepared(self, constants: Sequence[Tensor]) -> Sequence[Tensor]:
        """The constants as the loop is to be given them, once for many calls."""

    @abstractmethod
    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        """Goes along the steps.

        Args:
            sizes: How many rows run at each step, never more than before; one step at least.
            rows: What is read at each step, tensors ``(M, ...)``.
            state: What each row's first step is given, tensors ``(N, ...)``; rows past those that run at
                the first step have none.
            constants: What every step reads, prepared.
            room: What is filled at each step, tensors ``(M, ...)``.

        Returns:
            What each row's last step gives, tensors ``(N, ...)``; of a row without one, what was given.
        """


class Stepwise(TimeLoop, ABC):
    """A loop that calls a function at each step.

    Args:
        part: Of the rows of a step, the state, the constants and the room: the new state.
        matrices: Which of the constants it is given once more, after all others, in panels.
    """

    def __init__(self, part: Part, matrices: Sequence[int]) -> None:
        self.part, self.matrices = part, matrices

    def prepared(self, constants: Sequence[Tensor]) -> Sequence[Tensor]:
        return [*constants, *(in_panels(constants[place]) for place in self.matrices)]


@final
class Once(Stepwise):
    """One step."""

    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        return list(self.part(*rows, *state, *constants, *room))


@final
class Forwards(Stepwise):
    """From the first step to the last; the rows that run become fewer."""

    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        finished: list[Sequence[Tensor]] = []
        running, reads = (len(state[0]) if state else sizes[0]), len(rows)
        pieces = [tensor.split_with_sizes(sizes) for tensor in (*rows, *room)]
        for size, *columns in zip(sizes, *pieces, strict=True):
            if size < running:
                finished.append([tensor[size:] for tensor in state])
                state = [tensor[:size] for tensor in state]
                running = size
            state = self.part(*columns[:reads], *state, *constants, *columns[reads:])
        finished.append(state)
        return [torch.cat(column) for column in zip(*reversed(finished), strict=True)]


@final
class Backwards(Stepwise):
    """From the last step to the first; the rows that run become more. None stands for zeros."""

    def __call__(
        self,
        sizes: list[int],
        rows: Sequence[Tensor],
        state: Sequence[Tensor],
        constants: Sequence[Tensor],
        room: Sequence[Tensor],
    ) -> list[Tensor]:
        reads = len(rows)
        pieces = [tensor.split_with_sizes(sizes) for tensor in (*rows, *room)]
        now, running = [tensor[:0] for tensor in state], 0
        for size, *columns in reversed(list(zip(sizes, *pieces, strict=True))):
            if size > running:
                more = [tensor[running:size] for tensor in state]
                now = [torch.cat(rows) for rows in zip(now, more, strict=True)] if running else more
                running = size
            found = self.part(*columns[:reads], *now, *constants, *columns[reads:])
            now = [torch.zeros_like(t) if new is None else new for t, new in zip(now, found, strict=True)]
        return [torch.cat((t, first[running:])) for t, first in zip(now, state, strict=True)]
