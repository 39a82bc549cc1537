"""Scores of text, each example counted exactly once however many processes share the work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal, TypeAlias, final

import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor
from torchmetrics import Metric

BleuTokens: TypeAlias = Literal[
    "13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab", "flores101", "flores200"
]


class CrossEntropy(Metric, ABC):
    """What follows from the mean loss in nats, kept as sums so that no small probability is lost."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: Tensor) -> None:
        """Adds the loss of ``count`` tokens in nats, summed."""
        self.total += total.detach().double()
        self.count += count

    @abstractmethod
    def compute(self) -> Tensor:
        """The value, a scalar."""


@final
class Perplexity(CrossEntropy):
    """``exp`` of the mean loss of a token.

    Example:
        >>> metric = Perplexity()
        >>> metric.update(torch.tensor(4 * math.log(7.0)), torch.tensor(4))
        >>> round(metric.compute().item(), 4)
        7.0
    """

    def compute(self) -> Tensor:
        return torch.exp(self.total / self.count)


@final
class BitsPerCharacter(CrossEntropy):
    """The information of a text in bits, over its characters.

    Args:
        characters: Characters (code points, line ends included) of the text for each of its tokens.

    Example:
        >>> metric = BitsPerCharacter(characters=2.0)
        >>> metric.update(torch.tensor(8 * math.log(2.0)), torch.tensor(4))
        >>> round(metric.compute().item(), 4)
        1.0
    """

    def __init__(self, characters: float) -> None:
        super().__init__()
        self.characters = characters

    def compute(self) -> Tensor:
        return self.total / (self.count * self.characters * math.log(2))


@final
class Translations(Metric):
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacrebleu, 0 to 100.

    Args:
        tokenize: sacrebleu's tokeniser for BLEU; none for text that is tokenised already.

    Example:
        >>> metric = Translations("none")
        >>> metric.update(torch.tensor([0]), ["the cat sat on the mat"], [("the cat sat on the mat",)])
        >>> metric.compute()
        {'bleu': 100.0, 'chrf': 100.0}
    """

    full_state_update = False

    def __init__(self, tokenize: BleuTokens = "13a") -> None:
        super().__init__()
        self.tokenize = tokenize
        self.texts: dict[int, tuple[str, tuple[str, ...]]] = {}

    def update(self, index: Tensor, hypotheses: list[str], references: tuple[tuple[str, ...], ...]) -> None:
        """Adds outputs.

        Args:
            index: ``(N,)``, the number of each example; one that comes twice counts once.
            hypotheses: ``N`` outputs.
            references: The one or more references of each.
        """
        self.texts |= dict(zip(index.tolist(), zip(hypotheses, references, strict=True), strict=True))

    def compute(self) -> dict[str, float]:
        """``bleu`` and ``chrf`` of the corpus."""
        texts = self.texts
        if torch.distributed.is_initialized():
            everyone: list[dict[int, tuple[str, tuple[str, ...]]]] = [{}] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(everyone, texts)
            texts = {index: text for part in everyone for index, text in part.items()}
        hypotheses = [texts[index][0] for index in sorted(texts)]
        streams = list(map(list, zip(*(texts[index][1] for index in sorted(texts)), strict=True)))
        bleu = BLEU(tokenize=self.tokenize, force=True).corpus_score(hypotheses, streams).score
        chrf = CHRF().corpus_score(hypotheses, streams).score
        return {"bleu": round(bleu, 10), "chrf": round(chrf, 10)}

    def reset(self) -> None:
        """Forgets everything."""
        super().reset()
        self.texts = {}
