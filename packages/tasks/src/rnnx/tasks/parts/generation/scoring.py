"""How probable texts are that are given: for rescoring, and for contrastive test sets (Sennrich 2017)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

import torch
from torch import Tensor

from rnnx.core.nets.padding import real_steps
from rnnx.tasks.parts.ensemble import log_probabilities
from rnnx.tasks.parts.generation.decoding import Predictions
from rnnx.tasks.parts.generation.search import coverage_penalty, length_penalty
from rnnx.tasks.parts.lines import each, together
from rnnx.tasks.parts.nets.decoder import Decoder

BARS: Final = re.compile(r" \|\|\|(?= |$)")


@final
class Pair(NamedTuple):
    """A source and a target, as token numbers with their ends.

    Attributes:
        sources: The source, in the numbers of each model that scores.
        target: The target.
    """

    sources: Sequence[Tensor]
    target: Tensor

    @property
    def length(self) -> int:
        """Tokens of both sides together."""
        return len(self.sources[0]) + len(self.target)


def scored(
    lines: Iterable[str], score: Callable[[Sequence[tuple[str, str]]], Sequence[float]], read_ahead: int
) -> Iterator[str]:
    """The targets of lines with their scores, in Moses' form: ``number ||| target ||| score``.

    Args:
        lines: As :func:`parts_of` reads them.
        score: Gives the score of each pair of a source and a target.
        read_ahead: Lines whose pairs are scored together.

    Raises:
        InputError: a line has no target or no source.

    Example:
        >>> lengths = lambda pairs: [len(source + target) for source, target in pairs]
        >>> list(scored(["a ||| b ||| cd", "e ||| f"], lengths, read_ahead=8))
        ['0 ||| b ||| 2.0000', '0 ||| cd ||| 3.0000', '1 ||| f ||| 2.0000']
    """
    number = 0
    for chunk in together(each(lines, parts_of), read_ahead):
        scores = iter(score([(source, target) for source, targets in chunk for target in targets]))
        for _, targets in chunk:
            for target in targets:
                yield f"{number} ||| {target} ||| {next(scores):.4f}"
            number += 1


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
    decoders: Sequence[Decoder],
    predictions: Sequence[Predictions],
    lengths: Tensor,
    alpha: float = 0.0,
    beta: float = 0.0,
) -> list[float]:
    """What :func:`rnnx.tasks.parts.generation.search.beam_search` would rank the right texts by.

    Args:
        decoders: The decoders, whose probabilities' mean it is.
        predictions: Of each, from :func:`rnnx.tasks.parts.generation.decoding.teacher_forced`.
        lengths: Tokens of each text, its end included, ``(N,)``, on the CPU.
        alpha: Strength of the length normalisation; with 0, and ``beta`` 0, a score is the natural logarithm
            of the text's probability, its end included.
        beta: Strength of the coverage penalty, which needs attention of the first decoder; that of others
            counts as much, where they have any.
    """
    sizes = lengths.tolist()
    vectors = zip(*(one.vectors.split(sizes) for one in predictions), strict=True)  # of each text, (U, A)
    targets = predictions[0].targets.split(sizes)
    texts = zip(vectors, targets, strict=True)
    totals = torch.stack([_total(decoders, *text) for text in texts]).cpu()  # (N,)
    totals /= length_penalty(lengths, alpha)
    if beta:
        looks = torch.stack([one.attention for one in predictions if one.attention is not None]).mean(0)
        real = real_steps(looks[..., 0], lengths).unsqueeze(-1)  # (N, U, 1)
        coverage = looks.masked_fill(~real, 0.0).sum(1)  # (N, S)
        totals += beta * coverage_penalty(coverage, predictions[0].mask.sum(1)).cpu()
    scores: list[float] = totals.tolist()
    return scores


def _total(decoders: Sequence[Decoder], vectors: Sequence[Tensor], targets: Tensor) -> Tensor:
    """The logarithm of the probability of one text, whose scores alone are held at once."""
    scores = (decoder.logits(one) for decoder, one in zip(decoders, vectors, strict=True))
    return log_probabilities(scores, targets).double().sum()
