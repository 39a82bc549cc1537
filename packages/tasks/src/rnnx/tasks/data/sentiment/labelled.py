"""Texts with a label: what every source of them shares, of trees too."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple, final

from annotated_types import Ge

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.tasks.data.sentiment.corpus import Corpus
from rnnx.tasks.parts.files.vector_file import vectors_meta
from rnnx.tasks.parts.texts.reader import Example, Reader, taken_apart
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Level, Vocabulary


@final
class Reading(NamedTuple):
    """How texts are read.

    Attributes:
        level: What a token is.
        apart: Whether texts are :func:`rnnx.tasks.parts.texts.reader.taken_apart` first.
        max_length: Tokens that are read; None for all.
    """

    level: Level = "word"
    apart: bool = False
    max_length: int | None = None


@dataclass(kw_only=True, eq=False)
class Labelled(Data, ABC):
    """Texts or trees with labels in three splits; a source says only where they come from.

    A batch of texts has token numbers as ``inputs`` ``(N, T)`` and the numbers of the classes as ``targets``
    ``(N,)``. A batch of trees has nodes, children before their parents and leaves in the order of the text:
    ``inputs`` ``(N, T)`` are the numbers of the leaves' words, and that of ``<pad>`` at inner nodes;
    ``targets`` ``(N, T)`` the numbers of the nodes' classes, -100 where there is none; and ``parents`` and
    ``trees`` say how the nodes hang together. Training batches hold examples of like length in a new order
    each epoch; those of the other splits are sorted by length, and ``index`` tells each one's place.

    Args:
        min_frequency: Words (or, for sub-words, pairs to be merged) seen less often in training are unknown.
        vocabulary_size: The most tokens of the vocabulary; by default all words, and 8,000 sub-words.
        lowercase: Whether text is lower-cased.
        vectors: A word2vec or GloVe text file (plain or .gz) that embeddings start with; words that it has
            and training has not stay unknown.
        batch_size: Examples in a batch, in each process.
        workers: Processes that make batches beside the training one; 0 makes them in it.
    """

    min_frequency: Positive = 1
    vocabulary_size: Annotated[int, Ge(3)] | None = None
    lowercase: bool = False
    vectors: str | None = None
    batch_size: Positive = 32
    workers: Count = 0

    @abstractmethod
    def corpus(self) -> Corpus:
        """Reads the classes, and the texts of each split in order."""

    @property
    def reading(self) -> Reading:
        """How texts are read; by default as the words that blanks separate, all of them."""
        return Reading()

    @final
    def prepare(self) -> None:
        _ = self._examples

    @property
    @final
    def meta(self) -> Meta:
        """What a reader is made of, the vectors, and how many examples there are, as plain data.

        The file of the vectors is read here, so that a model that has them is tested without it.
        """
        return {
            **self._reader.to_plain(),
            "vectors": self._vectors,
            "examples": {split: len(examples) for split, examples in self._examples.items()},
        }

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        from rnnx.tasks.data.sentiment.padded import PaddedTexts
        from rnnx.tasks.parts.bucketing import bucketed

        padded = PaddedTexts(self._examples[split], self._reader)
        return bucketed(padded, padded.lengths, self.batch_size, split == "train", self.workers)

    @cached_property
    def _corpus(self) -> Corpus:
        return self.corpus()

    @cached_property
    def _reader(self) -> Reader:
        level, apart, max_length = self.reading
        classes, texts = self._corpus
        vocabulary = Vocabulary.train(
            (taken_apart(text) if apart else text for text, *_ in texts["train"]),
            level,
            self.vocabulary_size,
            self.min_frequency,
            specials=(PAD, UNK),
            lowercase=self.lowercase,
        )
        trees = texts["train"][0].tree is not None
        return Reader(vocabulary, classes, trees, apart, max_length)

    @cached_property
    def _vectors(self) -> Meta | None:
        return vectors_meta(self.vectors, self._reader.vocabulary)

    @cached_property
    def _examples(self) -> dict[Split, list[Example]]:
        return {
            split: [
                self._reader.text(text, label) if tree is None else self._reader.tree(tree)
                for text, label, tree in texts
            ]
            for split, texts in self._corpus.texts.items()
        }
