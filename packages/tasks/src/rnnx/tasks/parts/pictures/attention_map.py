"""A picture of where a decoder looked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor


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
