"""Colours for labels that the colour-blind can tell apart, as tints behind text on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import Final

OKABE_ITO: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
DIVERGING: Final = ("#d55e00", "#999999", "#0072b2")


def distinct(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each label of no order, from Okabe & Ito 2008; of more than seven some have the same.

    Example:
        >>> distinct(["PER", "LOC"])
        {'PER': '#0072b2', 'LOC': '#e69f00'}
    """
    return dict(zip(labels, cycle(OKABE_ITO), strict=False))


def scale(labels: Iterable[str]) -> dict[str, str]:
    """A colour for each label from worst to best: from vermilion by grey to blue.

    Example:
        >>> scale(["bad", "fair", "good"])
        {'bad': '#d55e00', 'fair': '#999999', 'good': '#0072b2'}
    """
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    names = list(labels)
    colours = LinearSegmentedColormap.from_list("", DIVERGING, N=max(len(names), 2))
    return {name: to_hex(colours(place)) for place, name in enumerate(names)}
