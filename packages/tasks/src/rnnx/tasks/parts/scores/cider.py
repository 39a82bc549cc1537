"""CIDEr-D: how like a caption is to what most people say of the image (Vedantam et al. 2015)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeAlias

LONGEST: Final = 4  # words of an n-gram, as of BLEU
SIGMA: Final = 6.0  # words of difference in length; the authors' choice
SCALE: Final = 10.0  # the authors' too, so that scores are of the size of other metrics'

Words: TypeAlias = Sequence[str]
Grams: TypeAlias = tuple[str, ...]
Vector: TypeAlias = dict[Grams, float]


def cider_d(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """The mean CIDEr-D of captions, from 0 to 10, as COCO's evaluation computes it.

    A text is, for each ``n`` from 1 to 4, the vector of its n-grams' frequencies, each weighted by how rare
    the n-gram is among the images: ``log(images / images with it in a reference)``. The score of a caption is
    ten times the mean, over ``n`` and its references, of the cosine of the vectors, where an n-gram counts in
    the caption no more than in the reference, times a Gaussian of the difference in length (section 7 there).
    Of one image alone every n-gram is in all images, and the score is 0.

    Args:
        hypotheses: The words of the caption of each image.
        references: The words of each reference of each image; one at least.

    Example:
        >>> cats, dogs = "two cats sleep here".split(), "a dog eats it".split()
        >>> round(cider_d([cats, dogs], [[cats], [dogs]]), 4), cider_d([dogs, cats], [[cats], [dogs]])
        (10.0, 0.0)
    """
    counts = [[_counts(words) for words in texts] for texts in references]
    frequencies = Counter(gram for texts in counts for gram in set().union(*texts))
    images = len(references)

    def vectors(counted: Counter[Grams]) -> list[Vector]:
        weights: list[Vector] = [{} for _ in range(LONGEST)]
        for gram, count in counted.items():
            weights[len(gram) - 1][gram] = count * math.log(images / max(1, frequencies[gram]))
        return weights

    total = 0.0
    for hypothesis, texts, grams in zip(hypotheses, references, counts, strict=True):
        mine = vectors(_counts(hypothesis))
        for words, counted in zip(texts, grams, strict=True):
            likeness = sum(map(_cosine, mine, vectors(counted))) / LONGEST
            difference = len(hypothesis) - len(words)
            total += likeness * math.exp(-(difference**2) / (2 * SIGMA**2)) / len(texts)
    return SCALE * total / images


def _counts(words: Words) -> Counter[Grams]:
    """How often each n-gram of 1 to 4 words occurs."""
    return Counter(
        tuple(words[start : start + n]) for n in range(1, LONGEST + 1) for start in range(len(words) - n + 1)
    )


def _cosine(hypothesis: Vector, reference: Vector) -> float:
    """The cosine, where no weight of the hypothesis counts more than the reference's."""
    norms = math.hypot(*hypothesis.values()) * math.hypot(*reference.values())
    dot = sum(
        min(weight, reference[gram]) * reference[gram]
        for gram, weight in hypothesis.items()
        if gram in reference
    )
    return dot / norms if norms else 0.0
