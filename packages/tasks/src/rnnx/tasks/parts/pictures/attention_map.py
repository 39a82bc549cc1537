"""A picture of where a decoder looked, and the same in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure
from torch import Tensor

SHADES: Final = " ░▒▓█"  # of the fifths between 0 and 1


def alignment(weights: Tensor, source: Sequence[str], target: Sequence[str]) -> Figure:
    """Where a decoder looked: a row for each word written, a column for each word read.

    Args:
        weights: ``(U, S)``, from 0 to 1.
        source: The ``S`` words read.
        target: The ``U`` words written.

    Returns:
        A figure of its own, bound to no window.

    Example:
        >>> import torch
        >>> figure = alignment(torch.eye(2), ["la", "casa"], ["the", "house"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['the', 'house']
    """
    figure = Figure(figsize=(1.5 + 0.45 * len(source), 1.2 + 0.35 * len(target)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights.detach().float().cpu().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(
        range(len(source)), labels=source, parse_math=False, rotation=60, ha="left", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(target)), labels=target, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    figure.colorbar(image, label="attention", shrink=0.8)
    return figure


def shaded(weights: Tensor, source: Sequence[str], target: Sequence[str]) -> str:
    """The same as a text: a line for each word written, the darker below a word read the more it counted.

    Args:
        weights: ``(U, S)``, from 0 to 1.
        source: The ``S`` words read.
        target: The ``U`` words written.

    Example:
        >>> import torch
        >>> print(shaded(torch.tensor([[0.9, 0.1], [0.3, 0.7]]), ["la", "casa"], ["the", "house"]))
              la casa
          the ██
        house ░░ ▓▓▓▓
    """
    margin = max(map(len, target))
    rows = [" ".join([" " * margin, *source])]
    for word, row in zip(target, weights.tolist(), strict=True):
        cells = [
            SHADES[min(int(weight * len(SHADES)), len(SHADES) - 1)] * len(read)
            for weight, read in zip(row, source, strict=True)
        ]
        rows.append(" ".join([word.rjust(margin), *cells]).rstrip())
    return "\n".join(rows)
