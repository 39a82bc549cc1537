"""A small convolutional net that makes of a picture a grid of places to look at, trained from scratch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, final

import torch
from torch import Tensor, nn

SIDE: Final = 8  # places of the grid, at most, down and across
DOUBLINGS: Final = 2  # of the channels, at most
GROUPS: Final = 8  # of channels that are normalised together, at most


@final
class ImageEncoder(nn.Module):
    """Convolutions of 3 x 3 in steps of 2 until 8 x 8 places or fewer are left, and one that knows where.

    Each convolution is followed by a group normalisation (Wu & He 2018), which takes its statistics from one
    picture, so that no picture depends on its neighbours in the batch. The second and the third double the
    channels. A convolution does the same everywhere, so what it finds cannot be told to be left of something:
    therefore the last one, in steps of 1, also reads the two coordinates of each place (Liu et al. 2018,
    CoordConv). They are numbers in order, not a vector learnt for each place, so "left of" is one comparison
    and holds at places where training saw no such thing.

    Args:
        shape: Channels, height and width of a picture.
        channels: Channels of the first convolution.
        size: Width of a place.

    Attributes:
        size: Width of a place.
        grid: How many places there are down and across.

    Example:
        >>> encoder = ImageEncoder((3, 128, 80), channels=8, size=10)
        >>> encoder.grid, encoder(torch.zeros(5, 3, 128, 80)).shape
        ((8, 5), torch.Size([5, 40, 10]))
    """

    coordinates: Tensor

    def __init__(self, shape: Sequence[int], channels: int, size: int) -> None:
        super().__init__()
        before, height, width = shape
        layers: list[nn.Module] = []
        while not layers or max(height, width) > SIDE:
            after = channels * 2 ** min(len(layers), DOUBLINGS)
            layers.append(_layer(before, after, stride=2))
            before, height, width = after, -(-height // 2), -(-width // 2)
        self.convolutions = nn.Sequential(*layers)
        self.placed = _layer(before + 2, size, stride=1)
        self.size, self.grid = size, (height, width)
        down, across = ((torch.arange(n) + 0.5) * 2 / n - 1 for n in self.grid)  # from -1 to 1
        self.register_buffer(
            "coordinates", torch.stack(torch.meshgrid(down, across, indexing="ij")), persistent=False
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """The places ``(N, S, size)``, none negative, row by row, of pictures ``(N, C, H, W)``, 0 to 255."""
        found = self.convolutions(pictures / 255)  # (N, C', h, w)
        where = self.coordinates.to(found.dtype).expand(len(found), -1, -1, -1)
        return self.placed(torch.cat((found, where), 1)).flatten(2).transpose(1, 2)  # (N, S, size)


def _layer(before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1),
        nn.GroupNorm(math.gcd(GROUPS, after), after),
        nn.ReLU(),
    )
