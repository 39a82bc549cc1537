"""The scores of runs that differ in nothing but their seed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev


def mean_and_spread(scores: Sequence[float]) -> str:
    """The mean, and with several scores their standard deviation, that of a sample.

    Args:
        scores: At least one.

    Example:
        >>> mean_and_spread([1.0, 2.0]), mean_and_spread([2.5])
        ('1.5 ± 0.707', '2.5')
    """
    spread = f" ± {stdev(scores):.3g}" if len(scores) > 1 else ""
    return f"{mean(scores):.4g}{spread}"
