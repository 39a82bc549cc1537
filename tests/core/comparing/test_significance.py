from __future__ import annotations

import math

import pytest
from scipy import stats

from rnnx.core.comparing.significance import differences

LOW, HIGH, WIDE = [1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [9.0, 2.0, 5.5, 7.0]


def test_one_difference_is_welchs_test() -> None:
    [found] = differences([LOW], HIGH)
    assert found is not None
    # by hand: the standard error is the root of 1/3 + 1/3, the degrees of freedom are 4, and a table of
    # Student's distribution has 2.776 for them
    assert found.mean == -2
    assert found.interval == pytest.approx(
        (-2 - 2.776 * math.sqrt(2 / 3), -2 + 2.776 * math.sqrt(2 / 3)), abs=1e-3
    )
    assert found.p == pytest.approx(stats.ttest_ind(LOW, HIGH, equal_var=False).pvalue)
    assert not found.significant


def test_the_variances_are_not_taken_to_be_equal() -> None:
    [found] = differences([WIDE], HIGH)
    assert found is not None
    pooled = stats.ttest_ind(WIDE, HIGH, equal_var=True).pvalue
    assert found.p == pytest.approx(stats.ttest_ind(WIDE, HIGH, equal_var=False).pvalue)
    assert abs(found.p - pooled) > 0.01


def test_many_differences_are_corrected_together() -> None:
    samples = [[10.0, 11.0, 12.0], LOW, [3.1, 4.2, 5.0]]
    raw = [stats.ttest_ind(sample, HIGH, equal_var=False).pvalue for sample in samples]
    assert raw == sorted(raw)
    found = differences(samples, HIGH)
    # Benjamini and Hochberg: each p times how many there are over its rank, and no larger than the next
    last = raw[2]
    middle = min(raw[1] * 3 / 2, last)
    assert [one and one.p for one in found] == pytest.approx([min(raw[0] * 3, middle), middle, last])
    assert [one and one.significant for one in found] == [True, False, False]


def test_what_cannot_be_tested_is_none_and_does_not_count() -> None:
    alone = differences([LOW], HIGH)
    few, infinite, tested = differences([[1.0], [1.0, math.inf], LOW], HIGH)
    assert few is infinite is None
    assert [tested] == alone
    assert differences([LOW, HIGH], [1.0]) == [None, None]
    assert differences([LOW], []) == [None]


def test_without_any_spread_there_is_no_test() -> None:
    assert differences([[1.0, 1.0], [2.0, 2.0]], [1.0, 1.0]) == [None, None]
    [one_sided] = differences([[1.0, 1.0]], [2.0, 3.0])
    assert one_sided is not None
    assert one_sided.mean == -1.5


def test_scores_that_are_nearly_equal_warn_of_nothing() -> None:
    [found] = differences([[1.0, 1.0 + 1e-15]], [1.0, 1.0])
    assert found is not None
    assert not found.significant
