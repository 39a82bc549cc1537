"""A long text as parallel streams, for truncated backpropagation through time."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rnnx.core.batch import Batch
from rnnx.core.processes import rank_and_world_size
from rnnx.tasks.parts.nets.cross_entropy import IGNORED
from rnnx.tasks.parts.padding import padded


def streamed(
    tokens: list[int], streams: int, length: int, start: int, each: bool = False
) -> DataLoader[Batch]:
    """A loader of the chunks of a text, in reading order.

    Args:
        tokens: The text.
        streams: How many contiguous streams it is cut into.
        length: Tokens of each stream in a batch.
        start: The token before the first.
        each: Whether each process has so many streams; else they are shared by all.

    Example:
        >>> first, second = streamed([1, 2, 3, 4, 5], streams=2, length=2, start=0)
        >>> first.inputs.tolist(), first.targets.tolist(), first.continues
        ([[0, 1], [3, 4]], [[1, 2], [4, 5]], False)
        >>> second.inputs.tolist(), second.targets.tolist(), second.lengths.tolist()
        ([[2], [0]], [[3], [-100]], [1, 0])
    """
    chunks = Streams(torch.tensor(tokens), streams, length, start, each)
    return DataLoader(chunks, batch_size=None, pin_memory=torch.cuda.is_available())


@final
class Rows(NamedTuple):
    """The streams of one process, padded to the longest of all processes.

    Attributes:
        numbers: Those of the streams among all, ``(N,)``.
        sizes: The tokens of each, ``(N,)``.
        inputs: ``(N, tokens)``, padded with 0.
        targets: ``(N, tokens)``, padded with -100.
    """

    numbers: Tensor
    sizes: Tensor
    inputs: Tensor
    targets: Tensor


@final
class Streams(Dataset[Batch]):
    """Chunk ``k`` of every stream as batch ``k``; every token of the text is a target exactly once.

    Where the streams do not divide the text, the first ones are one token longer, and ``lengths`` says so: in
    the last batch it may be 0. Padding is 0 in ``inputs`` and -100 in ``targets``.

    Several processes share the streams: two with 8 of their own read what one reads with 16. All have equally
    many batches; a process for which there is no stream has a row of padding alone. What is read in one piece
    stays so, and one process reads it, so that a score does not change with their number.

    Args:
        tokens: ``(tokens,)``.
        streams: How many contiguous streams; never more than there are tokens.
        length: Tokens of each stream in a batch.
        start: The token before the first.
        each: Whether each process has so many streams; else they are shared by all.
        share: Which of how many shares; if not said, that of this process, as
            :func:`rnnx.core.processes.rank_and_world_size`.
    """

    def __init__(
        self,
        tokens: Tensor,
        streams: int,
        length: int,
        start: int,
        each: bool = False,
        share: tuple[int, int] | None = None,
    ) -> None:
        self.tokens = tokens
        self.streams = streams
        self.length = length
        self.start = start
        self.each = each
        self.share = share

    def __len__(self) -> int:
        return -(-self._rows.inputs.shape[1] // self.length)

    def __getitem__(self, chunk: int) -> Batch:
        if not 0 <= chunk < len(self):
            raise IndexError(chunk)
        start = chunk * self.length
        inputs = self._rows.inputs[:, start : start + self.length]
        return Batch(
            inputs=inputs,
            lengths=(self._rows.sizes - start).clamp(0, inputs.shape[1]),
            targets=self._rows.targets[:, start : start + self.length],
            index=self._rows.numbers,
            continues=chunk > 0,
        )

    @cached_property
    def _rows(self) -> Rows:
        """Cut when they are first asked for, as the processes may be joined after this was made."""
        rank, ranks = self.share or rank_and_world_size()
        streams = self.streams * ranks if self.each else self.streams
        count = min(streams, len(self.tokens))
        shifted = torch.cat([self.tokens.new_tensor([self.start]), self.tokens[:-1]])
        inputs, sizes = padded(shifted.tensor_split(count))
        targets, _ = padded(self.tokens.tensor_split(count), IGNORED)
        numbers = torch.arange(count)
        if rank >= count:  # there is no stream for this process
            padding = torch.zeros_like(inputs[:1])
            return Rows(numbers[:1], torch.zeros_like(sizes[:1]), padding, padding + IGNORED)
        mine = slice(rank, None, ranks)
        return Rows(numbers[mine], sizes[mine], inputs[mine], targets[mine])
