"""Scores against hand calculation and against their published definition, written down a second time."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnx.tasks.parts.scores.segment_scores import (
    Edit,
    FrameAccuracy,
    Match,
    SegmentF1,
    VideoScore,
    edit_score,
    match,
)

runs = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5))
videos = st.lists(runs, min_size=1, max_size=12).map(  # a label predicted and a true one for each frame
    lambda found: ([p for p, _, n in found for _ in range(n)], [t for _, t, n in found for _ in range(n)])
)
backgrounds = st.sampled_from([None, 0, 3])
slowly = settings(deadline=None)


def numbers(metric: VideoScore) -> list[float]:
    """What it computes: one number, or F1 at overlaps of 10, 25 and 50%."""
    value = metric.compute()
    return [value[f"f1@{n}"].item() for n in (10, 25, 50)] if isinstance(value, dict) else [value.item()]


# ------------------------------------------------------------------- the published definition once more


def parts(labels: list[int], background: int | None, cut: bool = False) -> list[tuple[int, int, int]]:
    """Label, first frame and end of each segment but the background's, frame by frame.

    With ``cut``, a segment that reaches the end of the video ends one frame earlier, as in MS-TCN's eval.py.
    """
    starts = [t for t in range(len(labels)) if t == 0 or labels[t] != labels[t - 1]]
    ends = [*starts[1:], len(labels) - cut]
    found = [(labels[start], start, end) for start, end in zip(starts, ends, strict=True)]
    return [segment for segment in found if segment[0] != background]


def edit_by_definition(predicted: list[int], true: list[int], background: int | None) -> float:
    p, y = ([label for label, _, _ in parts(labels, background)] for labels in (predicted, true))

    @cache
    def distance(i: int, j: int) -> int:
        """Of the first ``i`` labels of the one to the first ``j`` of the other (Levenshtein 1966)."""
        if i == 0 or j == 0:
            return i + j
        if p[i - 1] == y[j - 1]:
            return distance(i - 1, j - 1)
        return 1 + min(distance(i - 1, j), distance(i, j - 1), distance(i - 1, j - 1))

    return 100 * (1 - distance(len(p), len(y)) / max(len(p), len(y))) if p or y else 100.0


def counts_by_definition(
    predicted: list[int], true: list[int], overlap: float, background: int | None, cut: bool = False
) -> tuple[int, int, int]:
    """True positives, false positives and false negatives of a video."""
    p, y = parts(predicted, background, cut), parts(true, background, cut)
    used = [False] * len(y)
    hits = 0
    for label, start, end in p:
        best, best_share = -1, -1.0
        for n, (true_label, true_start, true_end) in enumerate(y):
            common = set(range(start, end)) & set(range(true_start, true_end))
            either = set(range(start, end)) | set(range(true_start, true_end))
            share = len(common) / len(either) if either and label == true_label else 0.0
            if share > best_share:
                best, best_share = n, share
        if best_share >= overlap and not used[best]:
            used[best] = True
            hits += 1
    return hits, len(p) - hits, used.count(False)


@slowly
@given(videos, backgrounds)
def test_the_edit_score_is_that_of_its_definition(
    video: tuple[list[int], list[int]], background: int | None
) -> None:
    assert edit_score(*video, background) == pytest.approx(edit_by_definition(*video, background))


@slowly
@given(videos, backgrounds, st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_what_is_found_is_that_of_the_definition(
    video: tuple[list[int], list[int]], background: int | None, overlap: float
) -> None:
    found, predicted, true = match(*video, overlap, background)
    expected = counts_by_definition(*video, overlap, background)
    assert (found, predicted - found, true - found) == expected


@slowly
@given(videos, st.sampled_from([0.1, 0.25, 0.5]))
def test_ms_tcns_script_says_the_same_of_a_video_that_ends_in_background(
    video: tuple[list[int], list[int]], overlap: float
) -> None:
    predicted, true = ([*labels, 0] for labels in video)
    found, guesses, truths = match(predicted, true, overlap, background=0)
    expected = counts_by_definition(predicted, true, overlap, 0, cut=True)
    assert (found, guesses - found, truths - found) == expected


def test_ms_tcns_script_leaves_out_the_last_frame_of_other_videos() -> None:
    """The second segment: 1 of 2 frames in common, or 0 of 1."""
    predicted, true = [1, 1, 2], [1, 2, 2]
    assert match(predicted, true, 0.5).found == 2
    assert counts_by_definition(predicted, true, 0.5, None) == (2, 0, 0)
    assert counts_by_definition(predicted, true, 0.5, None, cut=True) == (1, 1, 1)


# ------------------------------------------------------------------------------------- worked by hand


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([1, 1, 2, 3, 3], [1, 2, 2, 2, 3], 100),  # one order, however long
        ([1, 1, 1, 1], [1, 2, 3, 4], 25),  # three are missing, of four
        ([1, 2, 1, 2], [2, 1, 2, 1], 50),  # one taken away and one put at the end, of four
        ([1, 2, 1, 3], [1, 1, 1, 3], 50),  # 1 2 1 3 and 1 3: two too many, of four
        ([1, 1], [2, 2], 0),
        ([2], [2], 100),
    ],
)
def test_edit_scores_by_hand(predicted: list[int], true: list[int], expected: float) -> None:
    assert edit_score(predicted, true) == pytest.approx(expected)
    assert edit_score(true, predicted) == pytest.approx(expected)


def test_background_is_no_part_of_the_order() -> None:
    assert edit_score([0, 1, 0, 2, 0], [1, 1, 2, 2, 2], background=0) == 100
    assert edit_score([0, 1, 0, 2, 0], [1, 1, 2, 2, 2]) == pytest.approx(40)  # three too many, of five
    assert edit_score([1, 0, 1], [1, 1, 1], background=0) == 50  # the two do not become one
    assert edit_score([0, 0], [0, 0], background=0) == 100
    assert edit_score([0, 1], [0, 0], background=0) == 0


def test_the_share_of_the_union_is_enough_if_it_is_just_reached() -> None:
    true = [1] * 10
    for frames, overlap, found in [(1, 0.1, 1), (2, 0.25, 0), (3, 0.25, 1), (4, 0.5, 0), (5, 0.5, 1)]:
        predicted = [2] * (10 - frames) + [1] * frames
        assert match(predicted, true, overlap) == Match(found, predicted=2, true=1)


def test_a_true_segment_is_found_once() -> None:
    """1 of 5 and 3 of 5 frames are in common; the second one comes too late, though it is better."""
    predicted, true = [1, 2, 1, 1, 1], [1, 1, 1, 1, 1]
    assert match(predicted, true, 0.1) == Match(found=1, predicted=3, true=1)
    assert match(predicted, true, 0.5) == Match(found=1, predicted=3, true=1)
    assert match(predicted, true, 0.7) == Match(found=0, predicted=3, true=1)


def test_a_segment_goes_with_the_one_it_overlaps_most_even_if_that_is_found_already() -> None:
    """Both 1s predicted overlap the long true 1 most; the short one is found by nobody."""
    true = [1, 1, 2, 1, 1, 1, 1, 1, 1]
    predicted = [2, 2, 2, 1, 1, 2, 1, 1, 1]
    assert match(predicted, true, 0.1).found == 2  # the long 1, and the 2
    predicted = [2, 1, 1, 1, 1, 2, 1, 1, 1]  # 1 at 1-4: 1 of 5 and 2 of 8 frames; 1 at 6-8: 3 of 6
    assert match(predicted, true, 0.1).found == 1  # the long 1


def test_only_segments_of_one_label_go_together() -> None:
    assert match([1, 1, 1], [2, 2, 2], 0.1) == Match(0, 1, 1)
    assert match([1, 2, 1], [2, 1, 2], 0.1) == Match(0, 3, 3)


def test_background_is_neither_found_nor_missed() -> None:
    assert match([0, 0, 1, 1], [0, 0, 1, 1], 0.5, background=0) == Match(1, 1, 1)
    assert match([0, 0, 0, 0], [0, 0, 1, 1], 0.5, background=0) == Match(0, 0, 1)
    assert match([1, 1, 0, 0], [0, 0, 0, 0], 0.5, background=0) == Match(0, 1, 0)


# ------------------------------------------------------------------------------------- over all videos


def test_frames_count_alike_in_long_and_short_videos() -> None:
    metric = FrameAccuracy()
    metric.update([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 2, 2])
    metric.update([2, 2], [1, 1])
    assert numbers(metric) == pytest.approx([50])


def test_videos_count_alike_in_the_edit_score() -> None:
    """100 and 25: pooled, 3 errors of 6 segments would be 50."""
    metric = Edit()
    metric.update([1, 1, 2, 2], [1, 1, 1, 2])
    metric.update([1, 1, 1, 1], [1, 2, 3, 4])
    assert numbers(metric) == pytest.approx([62.5])


def test_segments_count_alike_in_f1() -> None:
    """Found: 4 of 4 and 0 of 1 true ones, with 4 and 1 predicted; a mean over videos would be 50."""
    metric = SegmentF1()
    metric.update([1, 2, 3, 4], [1, 2, 3, 4])
    metric.update([1, 1, 1, 1], [2, 2, 2, 2])
    assert numbers(metric) == pytest.approx([80, 80, 80])


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    """Overlaps of 2 in 8, 3 in 6, and 1 in 12 frames, and one more true segment."""
    true = [1] * 8 + [2] * 6 + [3] * 11 + [4]
    predicted = [5] * 6 + [1] * 2 + [2] * 3 + [5] * 3 + [5] * 10 + [3] * 2
    metric = SegmentF1()
    metric.update(predicted, true)
    expected = []
    for found in (2, 2, 1):  # of 5 predicted, and of 4 true
        precision, recall = found / 5, found / 4
        expected.append(100 * 2 * precision * recall / (precision + recall))
    assert numbers(metric) == pytest.approx(expected)


def test_without_any_segment_nothing_is_found() -> None:
    metric = SegmentF1(background=0)
    metric.update([0, 0], [0, 0])
    assert numbers(metric) == [0, 0, 0]


@pytest.mark.parametrize("score", [Edit, SegmentF1])
def test_the_metrics_leave_out_the_background(score: type[Edit | SegmentF1]) -> None:
    """It is wrong in each frame, and all else is right."""
    with_it, without_it = score(background=None), score(background=3)
    for metric in (with_it, without_it):
        metric.update([1, 3, 3, 2], [1, 1, 2, 2])
    assert set(numbers(without_it)) == {100}
    assert max(numbers(with_it)) < 100


@slowly
@given(st.lists(videos, min_size=2, max_size=5), st.integers(1, 4))
def test_what_processes_have_seen_adds_up(seen: list[tuple[list[int], list[int]]], cut: int) -> None:
    for make in (FrameAccuracy, Edit, SegmentF1):
        whole, one, other = (make() for _ in range(3))
        for number, video in enumerate(seen):
            whole.update(*video)
            (one if number < cut else other).update(*video)
        assert isinstance(one, VideoScore)
        if other.update_called:
            one.merge_state(other)
        assert numbers(one) == pytest.approx(numbers(whole))
