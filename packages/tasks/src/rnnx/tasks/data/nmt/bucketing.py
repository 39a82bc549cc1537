"""Batches of sentence pairs of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnx.core.batch import Batch
from rnnx.tasks.data.nmt.example import Example

POOL = 50


def bucketed(
    examples: Sequence[Example], batch_size: int, shuffle: bool, pad: int, workers: int = 0
) -> DataLoader[Batch]:
    """A loader of padded batches of like length.

    Args:
        examples: The sentence pairs.
        batch_size: Pairs in a batch; the last may be smaller.
        shuffle: Whether each epoch has an order of its own.
        pad: The number that fills up.
        workers: Processes beside this one.

    Example:
        >>> examples = [Example([5, 3], [7, 8, 3], "a b"), Example([3], [6, 3], "c")]
        >>> (batch,) = bucketed(examples, batch_size=2, shuffle=False, pad=0)
        >>> batch.index.tolist(), batch.inputs.tolist(), batch.target_lengths.tolist()
        ([1, 0], [[3, 0], [5, 3]], [2, 3])
    """
    lengths = [(len(example.source), len(example.target)) for example in examples]
    return DataLoader(
        PaddedPairs(examples, pad),
        sampler=LengthBuckets(lengths, batch_size, shuffle),
        batch_size=None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )


@final
class PaddedPairs(Dataset[Batch]):
    """The pairs at some positions, as one batch.

    Args:
        examples: The sentence pairs.
        pad: The number that fills up.
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        self.sources = [torch.tensor(example.source) for example in examples]
        self.targets = [torch.tensor(example.target) for example in examples]
        self.references = [(example.reference,) for example in examples]
        self.pad = pad

    def __getitem__(self, positions: list[int]) -> Batch:
        inputs, lengths = self._padded([self.sources[position] for position in positions])
        targets, target_lengths = self._padded([self.targets[position] for position in positions])
        return Batch(
            inputs,
            lengths,
            targets,
            index=torch.tensor(positions),
            target_lengths=target_lengths,
            references=tuple(self.references[position] for position in positions),
        )

    def _padded(self, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(row) for row in rows])
        return pad_sequence(rows, batch_first=True, padding_value=self.pad), lengths


@final
class LengthBuckets(Sampler[list[int]]):
    """The positions of each batch: examples of like length together, each once an epoch.

    Shuffled, an epoch is a permutation of the examples, sorted by length within pools of 50 batches, its
    batches permuted. Epoch ``e`` depends on torch's seed (read when this is made) and ``e`` alone, so a
    resumed run sees what it would have seen.

    Args:
        lengths: The sort key of each example.
        batch_size: Examples in a batch; the last of a pool of examples may be smaller.
        shuffle: Whether each epoch has an order of its own; otherwise all are sorted by length.
    """

    def __init__(self, lengths: list[tuple[int, int]], batch_size: int, shuffle: bool) -> None:
        self.lengths, self.batch_size, self.shuffle = lengths, batch_size, shuffle
        self.seed, self.epoch = torch.initial_seed(), 0

    def set_epoch(self, epoch: int) -> None:
        """Makes the next pass that of ``epoch``; the Lightning trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        if not self.shuffle:
            yield from self._batches(list(range(len(self.lengths))))
            return
        generator = torch.Generator().manual_seed((self.seed + self.epoch) % 2**63)
        self.epoch += 1
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        pool = POOL * self.batch_size
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        batches = [batch for positions in pools for batch in self._batches(positions)]
        for position in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[position]

    def _batches(self, positions: list[int]) -> list[list[int]]:
        size, positions = self.batch_size, sorted(positions, key=self.lengths.__getitem__)
        return [positions[start : start + size] for start in range(0, len(positions), size)]
