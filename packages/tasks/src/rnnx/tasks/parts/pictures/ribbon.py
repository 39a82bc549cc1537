"""A label for each frame as a ribbon over time, one for each of several labellings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rnnx.tasks.parts.segments import segments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTINCT: Final = 20  # colours of matplotlib's tab20


def ribbons(rows: Mapping[str, Sequence[int]], names: Sequence[str]) -> Figure:
    """Labellings of one video below one another, a colour for each label.

    Args:
        rows: By its name, a label for each frame; the first is on top.
        names: What each label is called.

    Returns:
        A figure of its own, bound to no window.

    Example:
        >>> figure = ribbons({"truth": [0, 0, 1], "prediction": [0, 1, 1]}, ["rest", "pour"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['truth', 'prediction']
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    colours = colormaps["tab20" if len(names) <= DISTINCT else "turbo"].resampled(len(names))
    figure = Figure(figsize=(10, 1.6 + 0.6 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for row, labels in enumerate(rows.values()):
        for label, start, end in segments(labels):
            axes.barh(row, end - start, left=start, color=colours(label))
    axes.set_yticks(range(len(rows)), labels=list(rows), parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0)
    axes.set_xlabel("frame")
    shown = sorted(set().union(*rows.values()))
    legend = figure.legend(
        [Patch(color=colours(label)) for label in shown],
        [names[label] for label in shown],
        loc="outside lower center",
        ncols=6,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
