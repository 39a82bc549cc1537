"""A small convolutional net that makes a vector of a picture, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from torch import Tensor, nn

from rnnx.core.nets.linear import Linear

SIDE: Final = 4  # pixels of the last map, at most
DOUBLINGS: Final = 2  # of the channels, at most


@final
class FrameEncoder(nn.Module):
    """Convolutions of 3 x 3 in steps of 2 until 4 x 4 places or fewer are left, and a linear layer.

    Each convolution halves the picture; the second and the third double the channels. As no place is
    averaged away, the vector can say where in the picture something is.

    Args:
        shape: Channels, height and width of a picture.
        channels: Channels of the first convolution.
        size: Width of the vector.

    Example:
        >>> import torch
        >>> FrameEncoder((3, 32, 20), channels=8, size=10)(torch.zeros(5, 3, 32, 20)).shape
        torch.Size([5, 10])
    """

    def __init__(self, shape: Sequence[int], channels: int, size: int) -> None:
        super().__init__()
        before, height, width = shape
        layers: list[nn.Module] = []
        while not layers or max(height, width) > SIDE:
            after = channels * 2 ** min(len(layers) // 2, DOUBLINGS)
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
            before, height, width = after, -(-height // 2), -(-width // 2)
        self.convolutions = nn.Sequential(*layers)
        self.linear = Linear(before * height * width, size)

    def forward(self, pictures: Tensor) -> Tensor:
        """The vectors ``(M, size)``, none negative, of pictures ``(M, C, H, W)`` from 0 to 255."""
        return self.linear(self.convolutions(pictures / 255).flatten(1)).relu()
