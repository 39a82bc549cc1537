from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rnnx.tasks.parts.nets.frame_encoder import FrameEncoder


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((1, 16, 16), [1, 5, 10]),
        ((3, 64, 30), [3, 5, 10, 20, 20]),  # 64 x 30, 32 x 15, 16 x 8, 8 x 4, 4 x 2
        ((3, 5, 17), [3, 5, 10, 20]),  # 5 x 17, 3 x 9, 2 x 5, 1 x 3
        ((3, 2, 3), [3, 5]),
    ],
)
def test_it_halves_the_picture_until_four_places_are_left(
    shape: tuple[int, int, int], channels: list[int]
) -> None:
    encoder = FrameEncoder(shape, channels=5, size=7)
    found = [layer.out_channels for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert found == channels[1:]
    assert encoder(torch.zeros(2, *shape)).shape == (2, 7)


@pytest.mark.usefixtures("doubles")
def test_it_is_convolutions_and_a_linear_layer_of_pictures_from_0_to_1() -> None:
    encoder = FrameEncoder((2, 13, 16), channels=3, size=9)
    pictures = torch.randint(256, (4, 2, 13, 16)).double()
    y = pictures / 255
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            y = F.conv2d(y, layer.weight, layer.bias, stride=2, padding=1).clamp(min=0)
    assert y.shape == (4, 6, 4, 4)
    expected = (y.reshape(4, -1) @ encoder.linear.weight.T + encoder.linear.bias).clamp(min=0)
    assert torch.allclose(encoder(pictures), expected, atol=1e-12)
    assert len(expected.unique()) > 9


@pytest.mark.usefixtures("doubles")
def test_pictures_change_nothing_of_one_another() -> None:
    encoder, pictures = FrameEncoder((1, 16, 16), 4, 8), 255 * torch.rand(3, 1, 16, 16)
    for n in range(3):
        assert torch.allclose(encoder(pictures)[n], encoder(pictures[n : n + 1])[0], atol=1e-12)


def test_it_says_where_something_is() -> None:
    torch.manual_seed(0)
    encoder, pictures = FrameEncoder((1, 16, 16), 16, 64), torch.zeros(196, 1, 16, 16)
    for n in range(196):
        pictures[n, 0, n // 14 : n // 14 + 3, n % 14 : n % 14 + 3] = 255
    vectors = encoder(pictures)
    apart = torch.cdist(vectors, vectors) + torch.eye(196)
    assert apart.min() > 1e-3
