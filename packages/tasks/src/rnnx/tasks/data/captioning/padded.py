"""Images and captions as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch.utils.data import Dataset

from rnnx.core.batch import Batch
from rnnx.tasks.data.captioning.example import Example
from rnnx.tasks.parts.files.frames import to_tensor
from rnnx.tasks.parts.padding import padded


@final
class PaddedCaptions(Dataset[Batch]):
    """The examples at some positions, as one batch; their images are read when it is made.

    Args:
        examples: All of them.
        pad: The number that fills up targets.

    Example:
        >>> from numpy import ones
        >>> many = Example(lambda: ones((4, 2)), [7, 8, 3], ("a b",))
        >>> few = Example(lambda: ones((1, 2)), [6, 3], ("c",))
        >>> batch = PaddedCaptions([many, few], pad=0)[[1, 0]]
        >>> batch.inputs.shape, batch.lengths.tolist(), batch.targets.tolist()
        (torch.Size([2, 4, 2]), [1, 4], [[6, 3, 0], [7, 8, 3]])
    """

    def __init__(self, examples: Sequence[Example], pad: int) -> None:
        self.examples, self.pad = examples, pad
        self.lengths = [len(example.target) for example in examples]

    def __getitem__(self, positions: list[int]) -> Batch:
        examples = [self.examples[position] for position in positions]
        inputs, lengths = padded([to_tensor(example.read()) for example in examples])
        targets, target_lengths = padded([torch.tensor(example.target) for example in examples], self.pad)
        return Batch(
            inputs,
            lengths,
            targets,
            index=torch.tensor(positions),
            target_lengths=target_lengths,
            references=tuple(example.references for example in examples),
        )
