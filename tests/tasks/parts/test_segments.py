from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rnnx.tasks.parts.segments import Segment, format_segments, segments

slowly = settings(deadline=None)
labellings = st.lists(st.integers(0, 2), max_size=30)


def test_segments_by_hand() -> None:
    assert segments([4, 4, 4, 0, 2, 2, 4]) == [
        Segment(label=4, start=0, end=3),
        Segment(label=0, start=3, end=4),
        Segment(label=2, start=4, end=6),
        Segment(label=4, start=6, end=7),
    ]
    assert segments([7]) == [Segment(7, 0, 1)]
    assert segments([]) == []


def test_what_is_ignored_keeps_its_neighbours_apart() -> None:
    assert segments([1, 0, 0, 1, 0], ignored=0) == [Segment(1, 0, 1), Segment(1, 3, 4)]
    assert segments([0, 0], ignored=0) == []


@slowly
@given(labellings)
def test_segments_cover_all_frames_and_each_is_as_long_as_can_be(labels: list[int]) -> None:
    found = segments(labels)
    assert [label for label, start, end in found for _ in range(start, end)] == labels
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(one.label != other.label for one, other in pairwise(found))


@slowly
@given(labellings, st.integers(0, 2))
def test_ignoring_leaves_out_and_moves_nothing(labels: list[int], ignored: int) -> None:
    assert segments(labels, ignored) == [found for found in segments(labels) if found.label != ignored]


def test_in_words_the_last_frame_is_named() -> None:
    names = ["background", "pour", "stir"]
    assert format_segments([1, 1, 1, 0, 2, 2], names) == "pour:0-2 background:3-3 stir:4-5"
    assert format_segments([], names) == ""
