from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from rnnx.tasks.parts.pictures.gaze import gazes

WORDS = ["a", "red", "square"]
PICTURE = torch.randint(256, (3, 8, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
WEIGHTS = torch.tensor([[[1.0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0.4, 0.6]], [[1 / 6] * 3] * 2])


def veils(figure: Figure) -> list[np.ndarray]:
    """How dark each picture is made, word by word."""
    return [np.asarray(axes.get_images()[1].get_alpha()) for axes in figure.axes[1:]]


def test_there_is_the_picture_and_one_for_each_word() -> None:
    figure = gazes(PICTURE, WEIGHTS, WORDS)
    assert [axes.get_title() for axes in figure.axes] == ["", *WORDS]
    for axes in figure.axes:
        shown = np.asarray(axes.get_images()[0].get_array())
        assert (shown == PICTURE.permute(1, 2, 0).numpy()).all()


def test_it_is_dark_where_nobody_looked() -> None:
    """2 x 3 places of 4 x 4 pixels; 0.7 hides most of a pixel."""
    first, second, even = veils(gazes(PICTURE, WEIGHTS, WORDS))
    assert first.shape == (8, 12)
    assert first[:2, :2].max() == 0  # the middle of the first place and all beyond it
    assert np.allclose(first[6:, 6:], 0.7)
    assert np.allclose(second[:2], 0.7)
    assert second[7, 11] == 0
    assert np.isclose(second[6, 5:7].mean(), 0.7 * (1 - 0.4 / 0.6), atol=0.06)
    assert np.allclose(even, 0, atol=1e-6)


def test_weights_are_scaled_up_between_the_middles_of_places() -> None:
    """From the first place's middle, 2 pixels in, to the next's, 6 in: 1/8, 3/8, 5/8, 7/8 of the way."""
    (veil, *_) = veils(gazes(PICTURE, WEIGHTS, WORDS))
    assert np.allclose(veil[0, 2:6], [0.7 * eighths / 8 for eighths in (1, 3, 5, 7)])
    assert np.allclose(veil[2:6, 0], [0.7 * eighths / 8 for eighths in (1, 3, 5, 7)])


def test_a_long_caption_takes_more_rows_and_grey_pictures_are_grey() -> None:
    words = [str(n) for n in range(12)]
    figure = gazes(PICTURE[:1], WEIGHTS[:1].expand(12, 2, 3), words)
    assert [axes.get_title() for axes in figure.axes] == ["", *words]
    rows = {round(axes.get_position().y0, 3) for axes in figure.axes}
    assert len(rows) == 3
    image = figure.axes[3].get_images()[0]
    assert image.get_cmap().name == "gray"
    assert image.get_clim() == (0, 255)
    figure.savefig(BytesIO(), dpi=40)


def test_a_word_is_no_formula_and_no_window_knows_the_figure() -> None:
    figure = gazes(PICTURE, WEIGHTS.requires_grad_().bfloat16(), ["$$", "$^$", "a_1"])
    figure.savefig(BytesIO(), dpi=40)
    assert [axes.get_title() for axes in figure.axes[1:]] == ["$$", "$^$", "a_1"]
    assert pyplot.get_fignums() == []
