from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.tasks.parts.nets.image_encoder import ImageEncoder


@pytest.mark.parametrize(
    ("shape", "channels", "grid"),
    [
        ((3, 16, 16), [3, 6], (8, 8)),
        ((1, 128, 70), [1, 6, 12, 24, 24], (8, 5)),  # 64 x 35, 32 x 18, 16 x 9, 8 x 5
        ((3, 17, 40), [3, 6, 12, 24], (3, 5)),  # 9 x 20, 5 x 10, 3 x 5
        ((3, 4, 6), [3, 6], (2, 3)),
    ],
)
def test_it_halves_the_picture_until_eight_places_are_left(
    shape: tuple[int, int, int], channels: list[int], grid: tuple[int, int]
) -> None:
    encoder = ImageEncoder(shape, channels=6, size=7)
    found = [layer.out_channels for layer in encoder.convolutions.modules() if isinstance(layer, nn.Conv2d)]
    assert found == channels[1:]
    assert encoder.grid == grid
    assert encoder.size == 7
    assert encoder(torch.zeros(2, *shape)).shape == (2, grid[0] * grid[1], 7)


@pytest.mark.usefixtures("doubles")
def test_it_is_normalised_convolutions_and_one_that_reads_coordinates() -> None:
    """16 x 12 and 8 x 6 places; coordinates are those of the middles of equal pieces of -1 to 1."""
    encoder = ImageEncoder((2, 32, 24), channels=12, size=24)
    for weight in encoder.parameters():
        nn.init.normal_(weight, std=0.5)
    pictures = torch.randint(256, (3, 2, 32, 24)).double()

    def layer(y: Tensor, parts: nn.Module, stride: int) -> Tensor:
        """The statistics are those of 3 channels: 4 groups of 12, 8 of 24 and of 24."""
        convolution, normalisation, _ = parts.children()
        y = F.conv2d(y, convolution.weight, convolution.bias, stride, padding=1)  # type: ignore[arg-type]
        groups = y.reshape(3, y.shape[1] // 3, -1)
        mean, variance = groups.mean(-1, keepdim=True), groups.var(-1, correction=0, keepdim=True)
        y = ((groups - mean) / (variance + 1e-5).sqrt()).reshape(y.shape)
        weight, bias = (part[:, None, None] for part in (normalisation.weight, normalisation.bias))  # type: ignore[index]
        return (y * weight + bias).clamp(min=0)

    first, second = encoder.convolutions
    y = layer(layer(pictures / 255, first, 2), second, 2)
    assert y.shape == (3, 24, 8, 6)
    down = torch.tensor([-7, -5, -3, -1, 1, 3, 5, 7]) / 8
    across = torch.tensor([-5, -3, -1, 1, 3, 5]) / 6
    where = torch.stack((down[:, None].expand(8, 6), across.expand(8, 6))).expand(3, 2, 8, 6)
    y = layer(torch.cat((y, where), 1), encoder.placed, 1)
    expected = torch.stack([y[:, :, place // 6, place % 6] for place in range(48)], 1)
    assert torch.allclose(encoder(pictures), expected, atol=1e-10)
    assert len(expected.unique()) > 48


@pytest.mark.usefixtures("doubles")
def test_pictures_change_nothing_of_one_another() -> None:
    encoder, pictures = ImageEncoder((1, 16, 16), 4, 8), 255 * torch.rand(3, 1, 16, 16)
    for training in (True, False):
        encoder.train(training)
        for n in range(3):
            assert torch.allclose(encoder(pictures)[n], encoder(pictures[n : n + 1])[0], atol=1e-12)


def test_the_mean_of_the_places_says_where_something_is() -> None:
    """Without coordinates it would not, away from the edges: a convolution does the same everywhere."""
    torch.manual_seed(0)
    encoder, pictures = ImageEncoder((1, 64, 64), 8, 32), torch.zeros(4, 1, 64, 64)
    for n in range(4):
        down, across = 24 + 8 * (n // 2), 24 + 8 * (n % 2)  # a place apart, and far from the edges
        pictures[n, 0, down : down + 8, across : across + 8] = 255
    means = encoder(pictures).mean(1)
    apart = torch.cdist(means, means) + torch.eye(4)
    assert apart.min() > 1e-3
    with torch.no_grad():
        encoder.coordinates.zero_()
    blind = encoder(pictures).mean(1)
    assert torch.cdist(blind, blind).max() < 1e-5


def test_coordinates_are_no_weights_and_follow_the_device_and_the_type() -> None:
    encoder = ImageEncoder((1, 8, 8), 4, 3)
    assert not [name for name in encoder.state_dict() if "coordinates" in name]
    assert encoder.double()(torch.zeros(1, 1, 8, 8, dtype=torch.double)).dtype == torch.double
