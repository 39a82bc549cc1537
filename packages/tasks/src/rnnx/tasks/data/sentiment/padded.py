"""Texts or trees as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch.utils.data import Dataset

from rnnx.core.batch import Batch
from rnnx.tasks.parts.texts.reader import Example, Reader


@final
class PaddedTexts(Dataset[Batch]):
    """The examples at some positions, as one batch.

    Args:
        examples: All of them.
        reader: Who made them.

    Example:
        >>> from rnnx.tasks.parts.texts.vocabulary import Vocabulary
        >>> words = Vocabulary.train(["so good"], "word", specials=("<pad>", "<unk>"))
        >>> reader = Reader(words, ["bad", "good"])
        >>> texts = PaddedTexts([reader.text("so so good", "good"), reader.text("so bad", "bad")], reader)
        >>> texts.lengths, texts[[1, 0]].targets.tolist(), texts[[1, 0]].index.tolist()
        ([3, 2], [0, 1], [1, 0])
    """

    def __init__(self, examples: Sequence[Example], reader: Reader) -> None:
        self.examples, self.reader = examples, reader
        self.lengths = [len(example.tokens) for example in examples]

    def __getitem__(self, positions: list[int]) -> Batch:
        return self.reader.batch([self.examples[position] for position in positions], positions)
