"""Scores of a label for each frame: of the frames, and of the segments they make (Lea et al. 2017)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple, final

import torch
from torch import Tensor
from torchmetrics import Metric

from rnnx.tasks.parts.segments import Segment, segments

OVERLAPS: Final = (10, 25, 50)  # percent


@final
class Match(NamedTuple):
    """How the segments predicted of a video go with the true ones.

    Attributes:
        found: True segments that were found: the true positives.
        predicted: Segments predicted; those that found nothing are the false positives.
        true: True segments; those that were not found are the false negatives.
    """

    found: int
    predicted: int
    true: int


def edit_score(predicted: Sequence[int], true: Sequence[int], background: int | None = None) -> float:
    """How much of the order of the segments is right, 0 to 100, however long they are.

    ``100 (1 - d / n)``, with ``d`` the Levenshtein distance between the labels of the two lists of segments
    and ``n`` the length of the longer list; 100 if both are empty.

    Args:
        predicted: A label for each frame.
        true: As many.
        background: The label whose segments do not count.

    Example:
        >>> edit_score([1, 1, 2, 1, 3], [1, 2, 2, 2, 3])  # 1 2 1 3 and 1 2 3
        75.0
    """
    one, other = ([found.label for found in segments(labels, background)] for labels in (predicted, true))
    longer = max(len(one), len(other))
    return 100 * (1 - _distance(one, other) / longer) if longer else 100.0


def match(
    predicted: Sequence[int], true: Sequence[int], overlap: float, background: int | None = None
) -> Match:
    """Which true segments are found.

    Each segment predicted, in order, goes with the true one of its label that it overlaps most, by
    intersection over union. If that is the wanted share at least, and no earlier one has found it, it is
    found.

    The frames of a segment are all counted. (MS-TCN's ``eval.py`` leaves out the last frame of a video, where
    that is not background; the code of Lea et al. does not.)

    Args:
        predicted: A label for each frame.
        true: As many.
        overlap: The share of the union that must be common, above 0.
        background: The label whose segments do not count.

    Example:
        >>> match([1, 1, 2, 2, 2, 1], [1, 1, 1, 2, 2, 2], overlap=0.5)
        Match(found=2, predicted=3, true=2)
    """
    guesses, truths = segments(predicted, background), segments(true, background)
    found: set[int] = set()
    for guess in guesses:
        shares = [_common(guess, truth) for truth in truths]
        best = max(shares, default=0.0)
        if best >= overlap:
            found.add(shares.index(best))
    return Match(len(found), len(guesses), len(truths))


class VideoScore(Metric, ABC):
    """A score that is kept as sums over videos."""

    full_state_update = False

    @abstractmethod
    def update(self, predicted: Sequence[int], true: Sequence[int]) -> None:
        """Adds a video: a label for each frame, and as many true ones."""


@final
class FrameAccuracy(VideoScore):
    """The share of right frames among the frames of all videos, 0 to 100.

    Example:
        >>> metric = FrameAccuracy()
        >>> metric.update([1, 1, 2], [1, 2, 2])
        >>> metric.update([1], [1])
        >>> metric.compute().item()
        75.0
    """

    right: Tensor
    frames: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("frames", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Sequence[int], true: Sequence[int]) -> None:
        self.right += sum(one == other for one, other in zip(predicted, true, strict=True))
        self.frames += len(true)

    def compute(self) -> Tensor:
        """The percentage, a scalar."""
        return 100 * self.right.double() / self.frames


@final
class Edit(VideoScore):
    """The mean of :func:`edit_score` over videos.

    Args:
        background: The label whose segments do not count.

    Example:
        >>> metric = Edit()
        >>> metric.update([1, 2, 2], [1, 1, 2])
        >>> metric.update([1, 1, 1], [1, 1, 2])
        >>> metric.compute().item()
        75.0
    """

    total: Tensor
    videos: Tensor

    def __init__(self, background: int | None = None) -> None:
        super().__init__()
        self.background = background
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("videos", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Sequence[int], true: Sequence[int]) -> None:
        self.total += edit_score(predicted, true, self.background)
        self.videos += 1

    def compute(self) -> Tensor:
        """The mean, a scalar."""
        return self.total / self.videos


@final
class SegmentF1(VideoScore):
    """F1 of the segments of all videos together, where 10, 25 or 50% of the union must be common.

    0 where there is no segment at all; see :func:`match`.

    Args:
        background: The label whose segments do not count.

    Example:
        >>> metric = SegmentF1()
        >>> metric.update([1, 2, 2, 2, 3], [1, 1, 1, 2, 3])
        >>> {name: round(value.item(), 2) for name, value in metric.compute().items()}
        {'f1@10': 100.0, 'f1@25': 100.0, 'f1@50': 33.33}
    """

    found: Tensor
    segments: Tensor

    def __init__(self, background: int | None = None) -> None:
        super().__init__()
        self.background = background
        self.add_state("found", torch.zeros(len(OVERLAPS), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("segments", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Sequence[int], true: Sequence[int]) -> None:
        matches = [match(predicted, true, overlap / 100, self.background) for overlap in OVERLAPS]
        self.found += self.found.new_tensor([one.found for one in matches])
        self.segments += matches[0].predicted + matches[0].true

    def compute(self) -> dict[str, Tensor]:
        """``f1@10``, ``f1@25`` and ``f1@50``, 0 to 100."""
        values = 200 * self.found.double() / self.segments.clamp(min=1)  # 2 found / (predicted + true)
        return {f"f1@{overlap}": value for overlap, value in zip(OVERLAPS, values, strict=True)}


def _common(one: Segment, other: Segment) -> float:
    """Intersection over union; 0 if the labels differ."""
    intersection = min(one.end, other.end) - max(one.start, other.start)
    if one.label != other.label or intersection <= 0:
        return 0.0
    return intersection / (max(one.end, other.end) - min(one.start, other.start))


def _distance(one: Sequence[int], other: Sequence[int]) -> int:
    """The Levenshtein distance: the fewest insertions, deletions and substitutions."""
    row = list(range(len(other) + 1))
    for above, a in enumerate(one):
        diagonal, row[0] = above, above + 1
        for n, b in enumerate(other, 1):
            diagonal, row[n] = row[n], min(row[n] + 1, row[n - 1] + 1, diagonal + (a != b))
    return row[-1]
