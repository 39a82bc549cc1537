"""Sentences with named entities: what every source of them shares."""

# Annotations are not deferred here: subclasses inherit these options, and would look their types up in vain.

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

from rnnx.core.bounds import Count, Positive
from rnnx.core.data import Data, Loader, Meta, Split
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.files.vector_file import vectors_meta
from rnnx.tasks.parts.texts.lexicon import Lexicon
from rnnx.tasks.parts.texts.tags import Tag, inventory


@dataclass(kw_only=True, eq=False)
class Sentences(Data, ABC):
    """Sentences with named entities in three splits; a source says only where they come from.

    A batch has as ``inputs`` ``(N, T, 1 + C)`` the number of each word and then those of its characters, as
    ``targets`` ``(N, T)`` the numbers of the tags, both padded with 0, and as its one reference each sentence
    with its tags in IOB2, ``Ada/B-PER ran/O``. Training batches hold sentences of like length in a new order
    each epoch; those of the other splits are sorted by length, and ``index`` tells each sentence's place.

    Args:
        tagging: The scheme of the tags that are learnt, whatever that of the source is.
        lowercase: Whether words are lower-cased; their characters never are.
        zero_digits: Whether each digit is read as 0, in words and in characters.
        min_frequency: Words seen less often in training are unknown.
        vectors: A word2vec or GloVe text file (plain or .gz) that embeddings start with; words that it has
            and training has not stay unknown.
        batch_size: Sentences in a batch, in each process.
        workers: Processes that make batches beside the training one; 0 makes them in it.
    """

    tagging: Literal["iob2", "iobes"] = "iobes"
    lowercase: bool = True
    zero_digits: bool = True
    min_frequency: Positive = 1
    vectors: str | None = None
    batch_size: Positive = 32
    workers: Count = 0

    @abstractmethod
    def sentences(self) -> dict[Split, list[Sentence]]:
        """Reads the sentences of each split, in order; all types of entities occur in training."""

    @final
    def prepare(self) -> None:
        _ = self._sentences, self._lexicon, self._vectors

    @property
    @final
    def meta(self) -> Meta:
        """The lexicon, the tags, the vectors, and how many sentences there are, all as plain data."""
        return {
            "lexicon": self._lexicon.to_plain(),
            "tagging": self.tagging,
            "tags": [str(tag) for tag in self._tags],
            "vectors": self._vectors,
            "examples": {split: len(sentences) for split, sentences in self._sentences.items()},
        }

    @final
    def loader(self, split: Split) -> Loader:
        """The batches of a split; the order of ``train`` follows from torch's seed when this is called."""
        from rnnx.tasks.data.ner.padded import PaddedSentences
        from rnnx.tasks.parts.bucketing import bucketed

        padded = PaddedSentences(self._sentences[split], self._lexicon, self._tags, self.tagging)
        return bucketed(padded, padded.lengths, self.batch_size, split == "train", self.workers)

    @cached_property
    def _sentences(self) -> dict[Split, list[Sentence]]:
        return self.sentences()

    @cached_property
    def _lexicon(self) -> Lexicon:
        words = (sentence.words for sentence in self._sentences["train"])
        return Lexicon.train(words, self.lowercase, self.zero_digits, self.min_frequency)

    @cached_property
    def _vectors(self) -> Meta | None:
        return vectors_meta(self.vectors, self._lexicon.words)

    @cached_property
    def _tags(self) -> list[Tag]:
        types = {entity.type for sentence in self._sentences["train"] for entity in sentence.entities}
        return inventory(sorted(types), self.tagging)
