"""Scores of entities, counted as conlleval counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.nets.padding import real_steps
from rnnx.tasks.parts.texts.tags import OUTSIDE, Tag, continues


@final
class EntitySpans(NamedTuple):
    """The entities of ``N`` sentences, told at their first words.

    Attributes:
        type: ``(N, T)``, the number of the type of the entity that begins here, from 1; 0 where none does.
        stop: ``(N, T)``, the place after the last word of the entity that this word is in or begins.
    """

    type: Tensor
    stop: Tensor


@final
class EntityScores(Metric):
    """Precision, recall and F1 of entities, 0 to 100, over all and of each type, as conlleval's.

    An entity is right if its first word, its last word and its type are. Tags that break their scheme are
    read as conlleval reads them. Counts are added up over batches and processes.

    Args:
        tags: What the numbers stand for; the first is the one outside.

    Example:
        >>> metric = EntityScores([Tag.of(tag) for tag in ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")])
        >>> expected, predicted = torch.tensor([[1, 2, 0, 3]]), torch.tensor([[1, 2, 0, 1]])
        >>> metric.update(predicted, expected, torch.tensor([4]))
        >>> {name: round(value.item(), 1) for name, value in metric.compute().items()}
        {'precision': 50.0, 'recall': 50.0, 'f1': 50.0,
         'precision_PER': 50.0, 'recall_PER': 100.0, 'f1_PER': 66.7,
         'precision_LOC': 0.0, 'recall_LOC': 0.0, 'f1_LOC': 0.0}
    """

    full_state_update = False
    correct: Tensor
    predicted: Tensor
    expected: Tensor

    def __init__(self, tags: Sequence[Tag]) -> None:
        super().__init__()
        if tags[0] != OUTSIDE:
            raise ValueError(f"expected the first tag to be {OUTSIDE}, got {tags[0]}")
        self.types = list(dict.fromkeys(tag.type for tag in tags[1:]))
        self.register_buffer(
            "continues", torch.tensor([[continues(one, other) for other in tags] for one in tags])
        )
        self.register_buffer(
            "type_of", torch.tensor([0, *(self.types.index(tag.type) + 1 for tag in tags[1:])])
        )
        for name in ("correct", "predicted", "expected"):
            counts = torch.zeros(len(self.types), dtype=torch.long)
            self.add_state(name, counts, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, expected: Tensor, lengths: Tensor) -> None:
        """Adds sentences.

        Args:
            predicted: ``(N, T)``, numbers of tags, padded with any of them.
            expected: ``(N, T)``, those that are right.
            lengths: ``(N,)``, the words of each sentence, on any device.
        """
        real = real_steps(expected, lengths)
        ours, gold = self.spans(predicted, real), self.spans(expected, real)
        right = (ours.type == gold.type) & (ours.stop == gold.stop)
        self.predicted += self._count(ours.type)
        self.expected += self._count(gold.type)
        self.correct += self._count(gold.type.where(right, 0))

    def compute(self) -> dict[str, Tensor]:
        """``precision``, ``recall``, ``f1``, and each with ``_TYPE`` behind; 0 where nothing was found."""
        counts = torch.stack((self.correct, self.predicted, self.expected)).double()  # (3, types)
        values = _scores(counts.sum(1))
        for type, of_type in zip(self.types, counts.unbind(1), strict=True):
            values |= {f"{name}_{type}": value for name, value in _scores(of_type).items()}
        return values

    def spans(self, tags: Tensor, real: Tensor) -> EntitySpans:
        """The entities of tags ``(N, T)``, where ``real`` says which of them are no padding."""
        tags = tags.where(real, 0)
        before = torch.nn.functional.pad(tags[:, :-1], (1, 0))
        goes_on = self.continues[before, tags]  # type: ignore[index]
        type = self.type_of[tags].where(~goes_on, 0)  # type: ignore[index]
        length = tags.shape[1]
        places = torch.arange(length, device=tags.device).expand_as(tags)
        breaks = places.where(~goes_on, length).flip(1).cummin(1).values.flip(1)  # the next from here on
        return EntitySpans(type, torch.nn.functional.pad(breaks[:, 1:], (0, 1), value=length))

    def _count(self, types: Tensor) -> Tensor:
        """How many there are of each type, ``(types,)``."""
        return torch.bincount(types.flatten(), minlength=len(self.types) + 1)[1:]


def _scores(counts: Tensor) -> dict[str, Tensor]:
    """Of the numbers right, predicted and expected."""
    correct, predicted, expected = counts
    precision, recall = (100 * correct / total.clamp(min=1) for total in (predicted, expected))
    f1 = 200 * correct / (predicted + expected).clamp(min=1)
    return {"precision": precision, "recall": recall, "f1": f1}
