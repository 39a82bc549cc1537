from __future__ import annotations

from io import BytesIO

import torch
from matplotlib import image, pyplot

from rnnx.tasks.parts.pictures.attention_map import alignment, shaded

WEIGHTS = torch.tensor([[0.9, 0.1, 0.0], [0.25, 0.25, 0.5]])
SOURCE, TARGET = ["das", "grüne", "Haus"], ["the", "house"]


def test_rows_are_what_was_written_and_columns_what_was_read() -> None:
    axes, bar = alignment(WEIGHTS, SOURCE, TARGET).axes
    (picture,) = axes.get_images()
    torch.testing.assert_close(torch.tensor(picture.get_array()), WEIGHTS)
    assert [label.get_text() for label in axes.get_xticklabels()] == SOURCE
    assert [label.get_text() for label in axes.get_yticklabels()] == TARGET
    assert list(axes.get_xticks()) == [0, 1, 2]
    assert list(axes.get_yticks()) == [0, 1]
    low, high = axes.get_ylim()
    assert low > high  # the first word is on top
    assert picture.get_clim() == (0, 1)
    assert bar.get_ylabel() == "attention"


def test_the_darker_the_more() -> None:
    axes = alignment(WEIGHTS, SOURCE, TARGET).axes[0]
    (picture,) = axes.get_images()
    brightness = [sum(picture.cmap(picture.norm(value))[:3]) for value in (0.0, 0.5, 1.0)]
    assert brightness[0] > brightness[1] > brightness[2]


def test_a_word_is_no_formula() -> None:
    words = ["$$", "$^$", "a_1"]
    figure = alignment(torch.eye(3), words, words)
    figure.savefig(BytesIO())
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == words


def test_weights_may_come_from_anywhere() -> None:
    for weights in (WEIGHTS.clone().requires_grad_(), WEIGHTS.bfloat16(), WEIGHTS.double()):
        (picture,) = alignment(weights, SOURCE, TARGET).axes[0].get_images()
        torch.testing.assert_close(torch.tensor(picture.get_array()).float(), WEIGHTS, rtol=1e-2, atol=0)


def test_no_window_knows_it_and_it_grows_with_the_words() -> None:
    sizes = []
    for times in (1, 10):
        figure = alignment(WEIGHTS.repeat(times, times), SOURCE * times, ["the", "house"] * times)
        file = BytesIO()
        figure.savefig(file, dpi=50)
        file.seek(0)
        sizes.append(image.imread(file).shape[:2])
    assert pyplot.get_fignums() == []
    (height, width), (higher, wider) = sizes
    assert higher > 2 * height
    assert wider > 2 * width


def test_in_a_terminal_a_word_read_has_a_shade_below_it() -> None:
    """Fifths: 0.9 is the last, 0.1 the first, 0.25 the second and 0.5 the third."""
    assert shaded(WEIGHTS, SOURCE, TARGET).splitlines() == [
        "      das grüne Haus",
        "  the ███",
        "house ░░░ ░░░░░ ▒▒▒▒",
    ]
    assert shaded(torch.ones(1, 1), ["a"], ["b"]) == "  a\nb █"
