"""Where in a picture a decoder looked for each word (Xu et al. 2015, figure 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS: Final = 5  # of pictures, at most
INCHES: Final = 2.2  # of a picture's width
VEIL: Final = 0.7  # opacity of what hides a place without attention


def gazes(picture: Tensor, weights: Tensor, words: Sequence[str]) -> Figure:
    """The picture, and once more for each word, dark where the decoder did not look.

    Weights are scaled up to the picture between the middles of their places; where there was most attention
    it is as bright as the picture.

    Args:
        picture: ``(C, H, W)`` of bytes, of 3 channels or 1.
        weights: ``(U, h, w)``, where the decoder looked for each word, none negative.
        words: The ``U`` words.

    Returns:
        A figure of its own, bound to no window.

    Example:
        >>> import torch
        >>> picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
        >>> figure = gazes(picture, torch.eye(2).expand(2, 2, 2), ["a", "square"])
        >>> [axes.get_title() for axes in figure.axes]
        ['', 'a', 'square']
    """
    from matplotlib.figure import Figure

    size = picture.shape[1:]
    columns = min(COLUMNS, len(words) + 1)
    rows = math.ceil((len(words) + 1) / columns)
    height = INCHES * size[0] / size[1] + 0.3
    figure = Figure(figsize=(INCHES * columns, height * rows), layout="constrained")
    shown = picture.permute(1, 2, 0).cpu()
    maps = F.interpolate(weights.detach().float().cpu().unsqueeze(1), tuple(size), mode="bilinear")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels:
        axes.axis("off")
    for axes in panels[: len(words) + 1]:
        axes.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=255)
    for axes, word, (weight,) in zip(panels[1:], words, maps, strict=False):
        axes.set_title(word, parse_math=False)
        veil = VEIL * (1 - weight / weight.max()).numpy()
        axes.imshow(np.zeros_like(veil), cmap="gray", vmin=0, vmax=1, alpha=veil)
    for axes in panels[len(words) + 1 :]:
        axes.remove()
    return figure
