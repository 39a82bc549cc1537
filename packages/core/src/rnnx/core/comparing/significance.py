"""Whether scores differ by more than chance: a test over seeds, corrected for how many are made."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final, final

from rnnx.core.comparing.scores import spread

TEST: Final = "Welch's t-test over seeds, two-sided"
CORRECTION: Final = "Benjamini and Hochberg's correction"
LEVEL: Final = 0.05  # below which a difference is called significant


@final
@dataclass(frozen=True)
class Difference:
    """How far scores are from those that they are compared with.

    Where these were chosen by the same scores, as the best of several, ``p`` is too small and the interval
    too narrow: of tables of five equal rows about 7% have a difference that is called significant.

    Attributes:
        mean: By how much their mean is higher.
        interval: Where the true difference lies with a confidence of 95%, by Welch's test alone.
        p: How probable a difference as large would be by chance, corrected for all that were tested together.
    """

    mean: float
    interval: tuple[float, float]
    p: float

    @property
    def significant(self) -> bool:
        """Whether ``p`` is below 0.05."""
        return self.p < LEVEL


def differences(samples: Sequence[Sequence[float]], reference: Sequence[float]) -> list[Difference | None]:
    """Compares samples with a reference, each by Welch's t-test, all together by Benjamini and Hochberg 1995.

    Args:
        samples: The scores of each, one a seed.
        reference: The scores that they are compared with.

    Returns:
        One for each sample; None where no test can be made: of fewer than two scores on either side, of a
        score that is not finite, or where neither side has any spread.

    Example:
        >>> [difference] = differences([[1.0, 2.0, 3.0]], [3.0, 4.0, 5.0])
        >>> difference.mean, round(difference.p, 4)
        (-2.0, 0.0705)
    """
    tested = [_welch(sample, reference) for sample in samples]
    corrected = iter(_corrected([found.p for found in tested if found]))
    return [found and Difference(found.mean, found.interval, next(corrected)) for found in tested]


def _welch(sample: Sequence[float], reference: Sequence[float]) -> Difference | None:
    spreads = spread(sample), spread(reference)
    if not any(spreads) or not all(value is not None and math.isfinite(value) for value in spreads):
        return None
    from scipy import stats  # type: ignore[import-untyped]  # which takes longer than all else there is to do

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of scores that are nearly equal
        found = stats.ttest_ind(sample, reference, equal_var=False)
        interval = found.confidence_interval(0.95)
    return Difference(
        mean(sample) - mean(reference), (float(interval.low), float(interval.high)), float(found.pvalue)
    )


def _corrected(raw: list[float]) -> list[float]:
    if not raw:
        return []
    from scipy import stats

    found: list[float] = stats.false_discovery_control(raw).tolist()
    return found
