"""Comparison at one budget: the hidden size with which a model has so many parameters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from math import inf

from rnnx.core.errors import UsageError

GAP = 64  # a cell that refuses so many sizes in a row refuses them for another reason


def matching_size(count: Callable[[int], int], budget: int) -> int:
    """The size at which a count comes nearest to a budget.

    Args:
        count: The parameters of a model of a size; it does not fall as the size grows, and raises a
            UsageError for a size that cannot be (an odd one, say).
        budget: How many there are to be.

    Raises:
        UsageError: the smallest model has more parameters already, no size can be, or the count does not grow
            with it.

    Example:
        >>> matching_size(lambda size: size * size + 10, 100)
        9
    """

    @cache
    def at_least(size: int) -> tuple[float, int]:
        """The count of the smallest size from here on that can be, and that size; infinite if none can."""
        for possible in range(size, size + GAP):
            try:
                return count(possible), possible
            except UsageError as error:
                refusal = error
        if size == 1:
            raise refusal
        return inf, size

    smallest, first = at_least(1)
    if smallest > budget:
        raise UsageError(
            f"net.match: with cell.hidden_size={first}, the least there can be, the model has {smallest:,} "
            f"parameters, more than {budget:,}; allow more of them, or make what is around the cells smaller"
        )
    above = 1
    while at_least(above)[0] < budget:
        if above > budget and at_least(above)[0] == at_least(above // 2)[0]:
            raise UsageError(
                f"net.match: even with cell.hidden_size={above} the model has {at_least(above)[0]:,} "
                f"parameters, fewer than {budget:,}, as the cell does not grow with it; set net.match=0"
            )
        above *= 2
    enough = bisect_left(range(above), float(budget), lo=1, key=lambda size: at_least(size)[0])
    nearest = (at_least(size) for size in {enough, max(enough - 1, 1)})
    return min(nearest, key=lambda one: (abs(one[0] - budget), one[1]))[1]
