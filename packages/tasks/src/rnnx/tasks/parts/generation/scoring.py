"""How probable texts are that are given: for rescoring, and for contrastive test sets (Sennrich 2017)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor

from rnnx.core.nets.padding import real_steps
from rnnx.tasks.parts.generation.decoding import Predictions
from rnnx.tasks.parts.generation.search import coverage_penalty, length_penalty
from rnnx.tasks.parts.nets.cross_entropy import cross_entropy
from rnnx.tasks.parts.nets.decoder import Decoder

BARS: Final = re.compile(r" \|\|\|(?= |$)")


@final
@dataclass(frozen=True)
class Pair:
    """A source and a target, as token numbers with their ends; as long as both together.

    Args:
        source: Of the source.
        target: Of the target.
    """

    source: Sequence[int]
    target: Sequence[int]

    def __len__(self) -> int:
        return len(self.source) + len(self.target)


def parts_of(line: str) -> tuple[str, list[str]]:
    r"""The source and the targets of a line, with tabs between them or, if it has none, ``|||``.

    Args:
        line: ``source ||| target``, with blanks around the bars; there may be more targets, and empty ones.

    Raises:
        ValueError: there is no target, or the source is empty.

    Example:
        >>> parts_of("una casa ||| a house ||| the house")
        ('una casa', ['a house', 'the house'])
        >>> parts_of("una casa\ta ||| house")
        ('una casa', ['a ||| house'])
    """
    source, *targets = line.split("\t") if "\t" in line else BARS.split(line)
    if not targets:
        raise ValueError(
            f"expected SOURCE ||| TARGET, or a tab between the two, got {line!r}, which has neither"
        )
    if not source.strip():
        raise ValueError(f"expected SOURCE ||| TARGET, got {line!r}, whose source is empty")
    return source.strip(), [target.strip() for target in targets]


@torch.inference_mode()
def scores_of(
    decoder: Decoder, predictions: Predictions, lengths: Tensor, alpha: float = 0.0, beta: float = 0.0
) -> list[float]:
    """What :func:`rnnx.tasks.parts.generation.search.beam_search` would rank the right texts by.

    Args:
        decoder: The decoder.
        predictions: From :func:`rnnx.tasks.parts.generation.decoding.teacher_forced`.
        lengths: Tokens of each text, its end included, ``(N,)``, on the CPU.
        alpha: Strength of the length normalisation; with 0, and ``beta`` 0, a score is the natural logarithm
            of the text's probability, its end included.
        beta: Strength of the coverage penalty, which needs attention.
    """
    sizes = lengths.tolist()
    rows = zip(predictions.vectors.split(sizes), predictions.targets.split(sizes), strict=True)
    totals = torch.stack([-cross_entropy(decoder.output, *row) for row in rows]).double().cpu()  # (N,)
    totals /= length_penalty(lengths, alpha)
    if beta:
        assert predictions.attention is not None
        real = real_steps(predictions.attention[..., 0], lengths).unsqueeze(-1)  # (N, U, 1)
        coverage = predictions.attention.masked_fill(~real, 0.0).sum(1)  # (N, S)
        totals += beta * coverage_penalty(coverage, predictions.mask.sum(1)).cpu()
    scores: list[float] = totals.tolist()
    return scores
