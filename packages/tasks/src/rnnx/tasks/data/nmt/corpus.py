"""Parallel text: what every source of sentence pairs shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, TypeAlias, final

from annotated_types import Ge

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.core.errors import UsageError
from rnnx.tasks.data.nmt.example import Example
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

Pairs: TypeAlias = list[tuple[str, str]]
VocabularySize: TypeAlias = Annotated[int, Ge(5)]  # one, and the special tokens
log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Parallel(Data, ABC):
    """Sentence pairs in three splits; a source says only where they come from.

    A batch has the source's token numbers and ``<eos>`` as ``inputs`` ``(N, S)``, the target's and
    ``<eos>`` as ``targets`` ``(N, U)``, both padded with ``<pad>``, and the target's text as its one
    reference. Training batches hold pairs of like length in a new order each epoch; those of the other splits
    are sorted by length, and ``index`` tells each pair's place.

    Training pairs with an empty side or one above ``max_length`` are left out, which is told and
    counted; validation and test pairs never are.

    Args:
        level: What a token is: a word (what blanks separate) or a sub-word (byte-pair encoding).
        shared_vocabulary: Whether source and target have one vocabulary, and with it one embedding.
        min_frequency: Words (or, for sub-words, pairs to be merged) seen less often in training are left out.
        vocabulary_size: The most tokens of a vocabulary; by default all words, and 8,000 sub-words.
        target_vocabulary_size: Another number for the target's (Sutskever et al. 2014 have 160,000 words of
            the source, and 80,000).
        lowercase: Whether both sides are lower-cased, references too.
        max_length: The most tokens of either side of a training pair.
        source_vectors: A word2vec or GloVe text file (plain or .gz) that the source's embeddings start with;
            those of both sides, if they share a vocabulary.
        target_vectors: The same for the target's.
        batch_size: Pairs in a batch, in each process.
        workers: Processes that make batches beside the training one; 0 makes them in it.
    """

    level: Literal["word", "bpe"] = "word"
    shared_vocabulary: bool = False
    min_frequency: Positive = 1
    vocabulary_size: VocabularySize | None = None
    target_vocabulary_size: VocabularySize | None = None
    lowercase: bool = False
    max_length: Positive = 100
    source_vectors: str | None = None
    target_vectors: str | None = None
    batch_size: Positive = 64
    workers: Count = 0

    @property
    @abstractmethod
    def languages(self) -> tuple[str, str]:
        """The names of the source and the target language."""

    @abstractmethod
    def pairs(self) -> dict[Split, Pairs]:
        """Reads the sentence pairs of each split, in order."""

    @final
    def prepare(self) -> None:
        own = {
            "target_vectors": (self.target_vectors, "source_vectors"),
            "target_vocabulary_size": (self.target_vocabulary_size, "vocabulary_size"),
        }
        problems = [
            f"data.{option}: source and target share their vocabulary; leave it out, and give "
            f"data.{of_both} for both"
            for option, (value, of_both) in own.items()
            if self.shared_vocabulary and value is not None
        ]
        if problems:
            raise UsageError(*problems)
        _ = self._examples

    @property
    @final
    def meta(self) -> Meta:
        """Both vocabularies as plain data, the languages, and how many pairs there are and were left out.

        The files of vectors are read here, so that a model that has them is tested without them.
        """
        from rnnx.tasks.parts.files.vector_file import vectors_meta

        source, target = self._vocabularies
        source_language, target_language = self.languages
        return {
            "source": source.to_plain(),
            "target": target.to_plain(),
            "source_vectors": vectors_meta(self.source_vectors, source, "source_vectors"),
            "target_vectors": vectors_meta(self.target_vectors, target, "target_vectors"),
            "shared_vocabulary": self.shared_vocabulary,
            "source_language": source_language,
            "target_language": target_language,
            "examples": {split: len(examples) for split, examples in self._examples.items()},
            "left_out": len(self._texts["train"]) - len(self._examples["train"]),
        }

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        from rnnx.tasks.data.nmt.padded import PaddedPairs
        from rnnx.tasks.parts.bucketing import bucketed

        source, _ = self._vocabularies
        pairs = PaddedPairs(self._examples[split], source.pad)
        return bucketed(pairs, pairs.lengths, self.batch_size, split == "train", self.workers)

    @cached_property
    def _texts(self) -> dict[Split, Pairs]:
        texts = self.pairs()
        if self.lowercase:
            return {split: [(a.lower(), b.lower()) for a, b in pairs] for split, pairs in texts.items()}
        return texts

    @cached_property
    def _vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        sources, targets = _sides(self._texts["train"])
        size = self.vocabulary_size
        if self.shared_vocabulary:
            shared = self._vocabulary(sources + targets, size)
            return shared, shared
        return self._vocabulary(sources, size), self._vocabulary(targets, self.target_vocabulary_size or size)

    @cached_property
    def _examples(self) -> dict[Split, list[Example]]:
        examples = {split: self._encode(pairs) for split, pairs in self._texts.items()}
        examples["train"] = self._fitting(examples["train"])
        return examples

    def _vocabulary(self, lines: list[str], size: int | None) -> Vocabulary:
        return Vocabulary.train(lines, self.level, size, self.min_frequency, lowercase=self.lowercase)

    def _encode(self, pairs: Pairs) -> list[Example]:
        source, target = self._vocabularies
        sources, targets = _sides(pairs)
        return [
            Example([*source_ids, source.eos], [*target_ids, target.eos], reference)
            for source_ids, target_ids, reference in zip(
                source.encode(sources), target.encode(targets), targets, strict=True
            )
        ]

    def _fitting(self, examples: list[Example]) -> list[Example]:
        """The examples to train on; it is said how many others there are."""
        lengths = [(len(pair.source) - 1, len(pair.target) - 1) for pair in examples]  # without <eos>
        fitting = [
            pair
            for pair, sides in zip(examples, lengths, strict=True)
            if min(sides) > 0 and max(sides) <= self.max_length
        ]
        if not fitting:
            raise UsageError(
                f"data.max_length: none of the {len(examples)} training pairs has between 1 and "
                f"{self.max_length} tokens on both sides; raise it"
            )
        if len(fitting) < len(examples):
            left_out = len(examples) - len(fitting)
            empty = sum(min(sides) == 0 for sides in lengths)
            log.warning(
                "left out %d of %d training pairs: %d with an empty side, %d with more than %d tokens on a "
                "side (data.max_length)",
                left_out,
                len(examples),
                empty,
                left_out - empty,
                self.max_length,
            )
        return fitting


def _sides(pairs: Pairs) -> tuple[list[str], list[str]]:
    return [source for source, _ in pairs], [target for _, target in pairs]
