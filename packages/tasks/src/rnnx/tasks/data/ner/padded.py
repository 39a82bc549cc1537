"""Sentences as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch.utils.data import Dataset

from rnnx.core.batch import Batch
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.padding import padded
from rnnx.tasks.parts.texts.lexicon import Lexicon, padded_words
from rnnx.tasks.parts.texts.tagged_text import format_tagged
from rnnx.tasks.parts.texts.tags import Scheme, Tag, tags_of


@final
class PaddedSentences(Dataset[Batch]):
    """The sentences at some positions, as one batch.

    Args:
        sentences: All of them.
        lexicon: The numbers of words and characters.
        tags: What the targets stand for, by number; the first is the one outside.
        scheme: How entities are tagged.

    Example:
        >>> from rnnx.tasks.parts.texts.tags import Entity, inventory
        >>> sentence = Sentence(["Ada", "ran"], [Entity(0, 1, "PER")])
        >>> lexicon = Lexicon.train([sentence.words], lowercase=True, zero_digits=True)
        >>> sentences = PaddedSentences([sentence], lexicon, inventory(["PER"], "iob2"), "iob2")
        >>> batch = sentences[[0]]
        >>> batch.inputs.shape, batch.targets.tolist(), batch.references
        (torch.Size([1, 2, 4]), [[1, 0]], (('Ada/B-PER ran/O',),))
    """

    def __init__(
        self, sentences: Sequence[Sentence], lexicon: Lexicon, tags: Sequence[Tag], scheme: Scheme
    ) -> None:
        numbers = {tag: number for number, tag in enumerate(tags)}
        self.lengths = [len(sentence.words) for sentence in sentences]
        self.inputs = [lexicon.encode(sentence.words) for sentence in sentences]
        self.targets = [
            torch.tensor([numbers[tag] for tag in tags_of(sentence.entities, len(sentence.words), scheme)])
            for sentence in sentences
        ]
        self.references = [(format_tagged(sentence.words, sentence.entities),) for sentence in sentences]

    def __getitem__(self, positions: list[int]) -> Batch:
        inputs, lengths = padded_words([self.inputs[position] for position in positions])
        targets, _ = padded([self.targets[position] for position in positions])
        return Batch(
            inputs,
            lengths,
            targets,
            index=torch.tensor(positions),
            references=tuple(self.references[position] for position in positions),
        )
