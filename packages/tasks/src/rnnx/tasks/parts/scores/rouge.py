"""ROUGE-L: how much of a text is a common subsequence with a reference (Lin 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BETA: Final = 1.2  # weight of recall, as the evaluation of COCO (Chen et al. 2015) has it


def rouge_l(hypothesis: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The F-measure of the longest common subsequence, from 0 to 1, as COCO's evaluation computes it.

    Precision and recall are each the best over the references, perhaps of two different ones (Chen et al.
    2015, section 3.3).

    Args:
        hypothesis: The words of a text.
        references: The words of each of its references; one at least.

    Example:
        >>> round(rouge_l("police kill the gunman".split(), ["police killed the gunman".split()]), 4)
        0.75
    """
    common = [_common(hypothesis, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(hypothesis)
    recall = max(length / max(1, len(words)) for length, words in zip(common, references, strict=True))
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    lengths = [0] * (len(other) + 1)  # with each beginning of the other
    for word in one:
        longer = [0]
        for (before, length), match in zip(pairwise(lengths), other, strict=True):
            longer.append(before + 1 if word == match else max(length, longer[-1]))
        lengths = longer
    return lengths[-1]
