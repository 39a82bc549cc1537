"""Generated news about people, places and organisations: a task that every machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.bounds import Positive, Seed
from rnnx.core.data import Split
from rnnx.tasks.data.ner.corpus import Sentences
from rnnx.tasks.data.ner.news import news
from rnnx.tasks.data.ner.sentence import Sentence


@final
@dataclass(kw_only=True, eq=False)
class Toy(Sentences):
    """Short news with invented names of people, places and organisations; no name of one split is in another.

    Args:
        train: How many training sentences.
        valid: How many validation sentences.
        test: How many test sentences.
        seed: The seed of the generator; the same seed gives the same sentences.
    """

    train: Positive = 3000
    valid: Positive = 500
    test: Positive = 500
    seed: Seed = 1

    def sentences(self) -> dict[Split, list[Sentence]]:
        """Generates the sentences of each split."""
        return news(self.train, self.valid, self.test, self.seed)
