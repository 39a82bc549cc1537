from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.parts.pictures.film_strip import (
    SCHEME,
    SHEET_FRAMES,
    contact_sheet,
    film_strip,
    read_film_strip,
)

videos = st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.uint8, shape)
)


def line_of(image: Image.Image, form: str = "png") -> str:
    file = BytesIO()
    image.save(file, form)
    return SCHEME + base64.b64encode(file.getvalue()).decode()


@settings(deadline=None)
@given(videos)
def test_frames_come_back_as_they_were(frames: NDArray[np.uint8]) -> None:
    line = film_strip(frames)
    assert "\n" not in line
    assert np.array_equal(read_film_strip(line, frames.shape[1:]), frames)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_a_picture_with_the_frames_one_below_the_other(channels: int) -> None:
    frames = np.arange(2 * channels * 3 * 4, dtype=np.uint8).reshape(2, channels, 3, 4)
    content = base64.b64decode(film_strip(frames).removeprefix("data:image/png;base64,"))
    picture = np.asarray(Image.open(BytesIO(content))).reshape(6, 4, channels)
    for time in range(2):
        for channel in range(channels):
            assert picture[3 * time : 3 * time + 3, :, channel].tolist() == frames[time, channel].tolist()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (SCHEME + "no base64", "expected an image in base64 ("),
        (SCHEME + "ab", "expected an image in base64 ("),
        (SCHEME + "abcd", "expected an image, and it does not decode ("),
        (
            line_of(Image.new("L", (5, 6))),
            "expected frames of 4 x 3 pixels one below the other, got 5 x 6 pixels",
        ),
        (
            line_of(Image.new("L", (4, 7))),
            "expected frames of 4 x 3 pixels one below the other, got 4 x 7 pixels",
        ),
    ],
)
def test_what_is_none_is_refused(line: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read_film_strip(line, (1, 3, 4))
    assert str(caught.value).startswith(f"{line[:40]}...: {problem}")


@pytest.mark.parametrize(
    ("length", "shown"),
    [(1, [0]), (3, [0, 1, 2]), (SHEET_FRAMES, list(range(10))), (19, list(range(0, 19, 2)))],
)
def test_some_frames_stand_side_by_side(length: int, shown: list[int]) -> None:
    frames = np.arange(length, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 3, 4, 2), np.uint8)
    (picture,) = read_film_strip(contact_sheet(frames), (3, 4, 2 * len(shown)))
    assert picture[0, 0].tolist() == [number for number in shown for _ in range(2)]
    assert (picture == picture[:1, :1]).all()
