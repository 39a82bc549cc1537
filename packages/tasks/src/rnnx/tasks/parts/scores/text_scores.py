"""Scores of text, each example counted exactly once however many processes share the work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import zip_longest
from typing import Final, Literal, TypeAlias, final

import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor
from torchmetrics import Metric

from rnnx.core.processes import gather
from rnnx.tasks.parts.scores.cider import cider_d
from rnnx.tasks.parts.scores.rouge import rouge_l

BleuTokens: TypeAlias = Literal[
    "13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab", "flores101", "flores200"
]
Outputs: TypeAlias = dict[int, tuple[str, tuple[str, ...]]]  # by its number, an output and its references
NGRAMS: Final = 4  # words of the longest n-gram of BLEU


class CrossEntropy(Metric, ABC):
    """A metric made of the mean loss in nats, which is kept as sums so that no small probability is lost."""

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

    Where words are unknown, it is that of a text with ``<unk>`` in their place, over all characters.

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


class Texts(Metric, ABC):
    """A metric of all outputs of a split together, against their references."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.texts: Outputs = {}

    @abstractmethod
    def score(self, outputs: list[str], references: list[tuple[str, ...]]) -> dict[str, float]:
        """The values of outputs, each with its one or more references."""

    @final
    def update(self, index: Tensor, outputs: list[str], references: tuple[tuple[str, ...], ...]) -> None:
        """Adds outputs.

        Args:
            index: ``(N,)``, the number of each example; one that comes twice counts once.
            outputs: ``N`` texts.
            references: The one or more references of each.
        """
        self.texts |= dict(zip(index.tolist(), zip(outputs, references, strict=True), strict=True))

    @final
    def compute(self) -> dict[str, float]:
        """The values over all processes, by name."""
        texts = {index: text for part in gather(self.texts) for index, text in part.items()}
        outputs, references = zip(*(texts[index] for index in sorted(texts)), strict=True)
        scores = self.score(list(outputs), list(references))
        return {name: round(value, 10) for name, value in scores.items()}

    @final
    def reset(self) -> None:
        """Forgets everything."""
        super().reset()
        self.texts = {}


@final
class Translations(Texts):
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacrebleu, 0 to 100.

    Args:
        tokenize: sacrebleu's tokeniser for BLEU; none for text that is tokenised already.

    Example:
        >>> metric = Translations("none")
        >>> metric.update(torch.tensor([0]), ["the cat sat on the mat"], [("the cat sat on the mat",)])
        >>> metric.compute()
        {'bleu': 100.0, 'chrf': 100.0}
    """

    def __init__(self, tokenize: BleuTokens = "13a") -> None:
        super().__init__()
        self.tokenize = tokenize

    def score(self, outputs: list[str], references: list[tuple[str, ...]]) -> dict[str, float]:
        """``bleu`` and ``chrf`` of the corpus; all examples have as many references."""
        streams = list(map(list, zip(*references, strict=True)))
        bleu = BLEU(tokenize=self.tokenize, force=True).corpus_score(outputs, streams).score
        return {"bleu": bleu, "chrf": CHRF().corpus_score(outputs, streams).score}


@final
class Captions(Texts):
    """What COCO's evaluation (Chen et al. 2015) says of captions, whose words are separated by blanks.

    BLEU of n-grams of up to 1, 2, 3 and 4 words, over the whole corpus and not smoothed, and ROUGE-L, both in
    percent; CIDEr-D, from 0 to 10 (papers tend to write a hundred times COCO's number, as percentages); and
    ``exact``, the percentage of captions that are one of their references, word for word.

    Example:
        >>> metric = Captions()
        >>> outputs, references = ["a cat", "two dogs run"], [("a cat", "one cat"), ("two dogs eat",)]
        >>> metric.update(torch.tensor([0, 1]), outputs, references)
        >>> {name: round(value, 2) for name, value in metric.compute().items()}
        {'bleu_1': 80.0, 'bleu_2': 73.03, 'bleu_3': 0.0, 'bleu_4': 0.0,
         'rouge_l': 83.33, 'cider': 3.02, 'exact': 50.0}
    """

    def score(self, outputs: list[str], references: list[tuple[str, ...]]) -> dict[str, float]:
        """``bleu_1`` to ``bleu_4``, ``rouge_l``, ``cider`` and ``exact``."""
        streams = list(map(list, zip_longest(*references)))
        words = [output.split() for output in outputs]
        wanted = [[reference.split() for reference in texts] for texts in references]
        whole = BLEU(tokenize="none", force=True).corpus_score(outputs, streams)
        scores = {
            f"bleu_{n}": BLEU.compute_bleu(
                whole.counts[:n], whole.totals[:n], whole.sys_len, whole.ref_len, max_ngram_order=n
            ).score
            for n in range(1, NGRAMS + 1)
        }
        recalled = sum(map(rouge_l, words, wanted))
        exact = sum(output in texts for output, texts in zip(words, wanted, strict=True))
        return {
            **scores,
            "rouge_l": 100 * recalled / len(outputs),
            "cider": cider_d(words, wanted),
            "exact": 100 * exact / len(outputs),
        }
