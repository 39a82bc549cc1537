"""Sentence pairs as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch.utils.data import Dataset

from rnnx.core.batch import Batch
from rnnx.tasks.data.nmt.example import Example
from rnnx.tasks.parts.padding import padded


@final
class PaddedPairs(Dataset[Batch]):
    """The pairs at some positions, as one batch.

    Args:
        examples: The sentence pairs.
        pad: The number that fills up.

    Example:
        >>> pairs = PaddedPairs([Example([5, 3], [7, 8, 3], "a b"), Example([3], [6, 3], "c")], pad=0)
        >>> batch = pairs[[1, 0]]
        >>> batch.index.tolist(), batch.inputs.tolist(), batch.target_lengths.tolist()
        ([1, 0], [[3, 0], [5, 3]], [2, 3])
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        self.lengths = [(len(example.source), len(example.target)) for example in examples]
        self.sources = [torch.tensor(example.source) for example in examples]
        self.targets = [torch.tensor(example.target) for example in examples]
        self.references = [(example.reference,) for example in examples]
        self.pad = pad

    def __getitem__(self, positions: list[int]) -> Batch:
        inputs, lengths = padded([self.sources[position] for position in positions], self.pad)
        targets, target_lengths = padded([self.targets[position] for position in positions], self.pad)
        return Batch(
            inputs,
            lengths,
            targets,
            index=torch.tensor(positions),
            target_lengths=target_lengths,
            references=tuple(self.references[position] for position in positions),
        )
