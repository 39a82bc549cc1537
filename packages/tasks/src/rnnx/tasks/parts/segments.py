"""Segments: a label for each frame, told as runs of one label."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, final


@final
class Segment(NamedTuple):
    """Frames one after the other with one label.

    Attributes:
        label: The label of them all.
        start: The first of them, counted from 0.
        end: The frame after the last of them.
    """

    label: int
    start: int
    end: int


def segments(labels: Sequence[int], ignored: int | None = None) -> list[Segment]:
    """The segments of a video, in order; each is as long as can be.

    Args:
        labels: A label for each frame.
        ignored: The label whose segments are left out; what stands on its two sides stays apart.

    Example:
        >>> segments([3, 3, 0, 3], ignored=0)
        [Segment(label=3, start=0, end=2), Segment(label=3, start=3, end=4)]
    """
    found: list[Segment] = []
    start = 0
    for label, run in groupby(labels):
        end = start + sum(1 for _ in run)
        if label != ignored:
            found.append(Segment(label, start, end))
        start = end
    return found


def format_segments(labels: Sequence[int], names: Sequence[str]) -> str:
    """The segments in words: ``name:first-last``, frames counted from 0, both included.

    Args:
        labels: A label for each frame.
        names: What each label is called.

    Example:
        >>> format_segments([1, 1, 1, 0], ["background", "pour"])
        'pour:0-2 background:3-3'
    """
    return " ".join(f"{names[label]}:{start}-{end - 1}" for label, start, end in segments(labels))
