"""Counts of n-grams, smoothed as Kneser and Ney did: what a neural language model has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor

from rnnx.core.baseline import Baseline
from rnnx.core.batch import Batch
from rnnx.core.bounds import Positive
from rnnx.core.data import Meta, Split
from rnnx.tasks.parts.kneser_ney import KneserNey
from rnnx.tasks.parts.scores.text_scores import BitsPerCharacter, Perplexity
from rnnx.tasks.parts.texts.vocabulary import Vocabulary


@final
class NGram(Baseline):
    """Interpolated modified Kneser-Ney, :class:`rnnx.tasks.parts.kneser_ney.KneserNey`.

    Args:
        order: Length of the longest n-gram that is counted.
    """

    def __init__(self, meta: Meta, *, order: Positive = 5) -> None:
        self.meta = meta
        self.model = KneserNey(len(Vocabulary.from_plain(meta["vocabulary"])), order=order)

    def fit(self, batches: Iterable[Batch]) -> None:
        self.model.fit(_text(batches))

    def evaluate(self, batches: Iterable[Batch], split: Split) -> dict[str, float]:
        tokens = _text(batches)
        total = -self.model.log_probabilities(tokens, torch.tensor([self.meta["start"]])).sum()
        count = torch.tensor(len(tokens))
        perplexity = Perplexity()
        bits = BitsPerCharacter(self.meta["characters"][split] / self.meta["tokens"][split])
        for metric in (perplexity, bits):
            metric.update(total, count)
        return {
            "loss": float(total / count),
            "perplexity": float(perplexity.compute()),
            "bits_per_character": float(bits.compute()),
        }

    @property
    def parameters(self) -> int:
        """The n-grams of all orders that were seen."""
        return self.model.size


def _text(batches: Iterable[Batch]) -> Tensor:
    """The text that batches of parallel streams were cut from, ``(tokens,)``."""
    everything = list(batches)
    rows = range(len(everything[0]))
    return torch.cat([batch.targets[row, : int(batch.lengths[row])] for row in rows for batch in everything])
