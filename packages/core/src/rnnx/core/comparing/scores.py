"""The scores of runs that differ in nothing but their seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev


def spread(scores: Sequence[float]) -> float | None:
    """The standard deviation, that of a sample; None of fewer than two scores.

    Args:
        scores: Any number; where one is not finite, neither is the spread.

    Example:
        >>> spread([2.0, 4.0, 6.0]), spread([2.0]), spread([2.0, math.inf])
        (2.0, None, nan)
    """
    if len(scores) < 2:
        return None
    return stdev(scores) if all(map(math.isfinite, scores)) else math.nan


def mean_and_spread(scores: Sequence[float], decimals: int | None = None) -> str:
    """The mean, and with several scores their standard deviation, that of a sample.

    Args:
        scores: At least one.
        decimals: How many digits follow the point in both; None for those of a column of this mean alone.

    Example:
        >>> mean_and_spread([1.0, 2.0]), mean_and_spread([2.5]), mean_and_spread([1.0, 2.0], 2)
        ('1.500 ± 0.707', '2.500', '1.50 ± 0.71')
    """
    middle, deviation = mean(scores), spread(scores)
    places = digits([middle]) if decimals is None else decimals
    around = "" if deviation is None else f" ± {deviation:.{places}f}"
    return f"{middle:.{places}f}{around}"


def digits(means: Sequence[float]) -> int:
    """How many digits are to follow the point in a column of numbers.

    So many that the largest has four digits and the smallest three, but six at most.

    Args:
        means: Any numbers; those that are zero or not finite do not count.

    Example:
        >>> digits([91.25, 88.5]), digits([120.0, 8.0]), digits([0.00012]), digits([123456.0])
        (2, 2, 6, 0)
    """
    places = [math.floor(math.log10(abs(value))) for value in means if value and math.isfinite(value)]
    return min(6, max(0, 3 - max(places), 2 - min(places))) if places else 0
