"""A long text as parallel streams, for truncated backpropagation through time."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from rnnx.core.batch import Batch

IGNORED = -100


def streamed(tokens: list[int], streams: int, length: int, start: int) -> DataLoader[Batch]:
    """A loader of the chunks of a text, in reading order.

    Args:
        tokens: The text.
        streams: How many contiguous streams it is cut into.
        length: Tokens of each stream in a batch.
        start: The token before the first.

    Example:
        >>> first, second = streamed([1, 2, 3, 4, 5], streams=2, length=2, start=0)
        >>> first.inputs.tolist(), first.targets.tolist(), first.continues
        ([[0, 1], [3, 4]], [[1, 2], [4, 5]], False)
        >>> second.inputs.tolist(), second.targets.tolist(), second.lengths.tolist()
        ([[2], [0]], [[3], [-100]], [1, 0])
    """
    chunks = Streams(torch.tensor(tokens), streams, length, start)
    return DataLoader(chunks, batch_size=None, pin_memory=torch.cuda.is_available())


@final
class Streams(Dataset[Batch]):
    """Chunk ``k`` of every stream as batch ``k``; every token of the text is a target exactly once.

    Where the streams do not divide the text, the first ones are one token longer, and ``lengths`` says so: in
    the last batch it may be 0. Padding is 0 in ``inputs`` and -100 in ``targets``.

    Args:
        tokens: ``(tokens,)``.
        streams: How many contiguous streams; never more than there are tokens.
        length: Tokens of each stream in a batch.
        start: The token before the first.
    """

    def __init__(self, tokens: Tensor, streams: int, length: int, start: int) -> None:
        shifted = torch.cat([tokens.new_tensor([start]), tokens[:-1]])
        streams = min(streams, len(tokens))
        self.length = length
        self.sizes = torch.tensor([len(row) for row in tokens.tensor_split(streams)])
        self.inputs = _rows(shifted, streams, fill=0)
        self.targets = _rows(tokens, streams, fill=IGNORED)

    def __len__(self) -> int:
        return -(-self.inputs.shape[1] // self.length)

    def __getitem__(self, chunk: int) -> Batch:
        if not 0 <= chunk < len(self):
            raise IndexError(chunk)
        start = chunk * self.length
        inputs, targets = (rows[:, start : start + self.length] for rows in (self.inputs, self.targets))
        return Batch(
            inputs=inputs,
            lengths=(self.sizes - start).clamp(0, inputs.shape[1]),
            targets=targets,
            index=torch.arange(len(self.sizes)),
            continues=chunk > 0,
        )


def _rows(tokens: Tensor, streams: int, fill: int) -> Tensor:
    return pad_sequence(list(tokens.tensor_split(streams)), batch_first=True, padding_value=fill)
