from __future__ import annotations

from rnnx.core.scores import mean_and_spread


def test_the_spread_is_that_of_a_sample() -> None:
    assert mean_and_spread([2.0, 4.0]) == "3 ± 1.41"  # the square root of 2, where a population's would be 1
    assert mean_and_spread([1.0, 2.0, 6.0]) == "3 ± 2.65"  # of ((-2)² + (-1)² + 3²) / 2 = 7


def test_one_score_has_no_spread() -> None:
    assert mean_and_spread([12.34567]) == "12.35"
