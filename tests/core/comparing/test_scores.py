from __future__ import annotations

import math

import pytest

from rnnx.core.comparing.scores import digits, mean_and_spread, spread


def test_the_spread_is_that_of_a_sample() -> None:
    assert (
        mean_and_spread([2.0, 4.0]) == "3.000 ± 1.414"
    )  # the square root of 2, where a population's would be 1
    assert mean_and_spread([1.0, 2.0, 6.0]) == "3.000 ± 2.646"  # of ((-2)² + (-1)² + 3²) / 2 = 7


def test_one_score_has_no_spread() -> None:
    assert mean_and_spread([12.34567]) == "12.35"


def test_what_is_not_finite_has_no_finite_spread() -> None:
    assert math.isnan(spread([math.inf, 1.0]) or 0)
    assert mean_and_spread([math.inf, 1.0]) == "inf ± nan"
    assert spread([1.0]) is None


def test_digits_after_the_point_are_those_that_are_asked_for() -> None:
    assert mean_and_spread([1.0, 2.0], 1) == "1.5 ± 0.7"
    assert mean_and_spread([2.0, 2.5], 0) == "2 ± 0"


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([1.5], 3),  # 1.500
        ([91.2, 100.0], 1),  # 100.0
        ([100.0, 8.0], 2),  # 100.00 and 8.00
        ([0.16, 0.00012], 6),  # 0.160000 and 0.000120
        ([1e-9], 6),
        ([123456.0], 0),
        ([0.0, math.inf, math.nan], 0),
        ([], 0),
    ],
)
def test_a_column_has_digits_enough_for_its_largest_and_its_smallest(
    means: list[float], expected: int
) -> None:
    assert digits(means) == expected
