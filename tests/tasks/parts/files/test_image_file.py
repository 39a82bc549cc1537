"""Pictures against arrays that they were written from."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.image_file import ENDINGS, is_image, measured, read_picture

RED = np.array([[200, 0, 10], [20, 30, 40]], np.uint8)
GREEN = np.array([[0, 150, 10], [21, 31, 41]], np.uint8)
BLUE = np.array([[0, 0, 100], [22, 32, 42]], np.uint8)
COLOURS = np.stack([RED, GREEN, BLUE])  # (3, 2, 3)


def packed(image: Image.Image, form: str = "png") -> BytesIO:
    file = BytesIO()
    image.save(file, form)
    return file


def coloured() -> Image.Image:
    return Image.fromarray(COLOURS.transpose(1, 2, 0))


def problem(file: BytesIO) -> str:
    with pytest.raises(InputError) as caught:
        read_picture(file, "tea/7.png", 3)
    assert caught.value.path == "tea/7.png"
    return caught.value.problem


def test_what_is_no_image_is_told_without_where_it_lies_in_memory() -> None:
    expected = "expected an image, and it does not decode (its format is none that Pillow knows)"
    assert problem(BytesIO(b"a text")) == expected


@pytest.mark.parametrize("form", ["png", "bmp", "ppm", "tiff"])
def test_channels_rows_and_columns_stand_where_they_were(form: str) -> None:
    picture = read_picture(packed(coloured(), form), "x", 3)
    assert picture.dtype == np.uint8
    assert picture.tolist() == COLOURS.tolist()


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    coloured().save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", "x", 3).tolist() == COLOURS.tolist()


def test_grey_is_as_bright_as_the_colours() -> None:
    """The luma of ITU-R BT.601."""
    luma = 0.299 * RED + 0.587 * GREEN + 0.114 * BLUE
    (picture,) = read_picture(packed(coloured()), "x", 1)
    assert np.abs(picture - luma).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_colours_or_grey(mode: str) -> None:
    black_and_white = np.array([[0, 255, 255], [255, 0, 255]], np.uint8)
    image = Image.fromarray(black_and_white).convert(mode)
    file = packed(image, "tiff" if mode == "CMYK" else "png")
    assert read_picture(file, "x", 3).tolist() == [black_and_white.tolist()] * 3
    assert read_picture(file, "x", 1).tolist() == [black_and_white.tolist()]


def test_a_size_is_height_and_width() -> None:
    halves = np.zeros((40, 60, 3), np.uint8)
    halves[:, 30:] = 255
    picture = read_picture(packed(Image.fromarray(halves)), "x", 3, size=(4, 6))
    assert picture.shape == (3, 4, 6)
    assert picture[:, :, :2].max() == 0
    assert picture[:, :, 4:].min() == 255
    assert (np.diff(picture.astype(int), axis=2) >= 0).all()


def test_scaling_down_leaves_no_pixel_out() -> None:
    """Every tenth column is white: the mean brightness stays, whichever columns are sampled."""
    lines = np.zeros((100, 100), np.uint8)
    lines[:, ::10] = 250
    (picture,) = read_picture(packed(Image.fromarray(lines)), "x", 1, size=(5, 5))
    assert np.abs(picture.astype(float) - 25).max() < 5


@pytest.mark.parametrize("array", [np.ones((2, 2), np.uint16), np.ones((2, 2), np.int32)])
def test_more_than_eight_bits_are_refused(array: np.ndarray[tuple[int, int], np.dtype[np.integer]]) -> None:
    file = packed(Image.fromarray(array), "tiff")
    assert problem(file).startswith("expected 8 bits a channel, got an image of mode I")


def test_what_does_not_decode_is_refused_whatever_is_missing() -> None:
    content = packed(coloured()).getvalue()
    for length in range(len(content) - 24):  # what follows are check sums and the empty end of a PNG
        assert problem(BytesIO(content[:length])).startswith("expected an image, and it does not decode (")


@pytest.mark.parametrize("form", ["jpeg", "gif", "bmp", "webp", "tiff"])
def test_a_file_cut_off_is_refused_or_read(form: str) -> None:
    """Some formats can do without their end; none ends in another error."""
    content = packed(Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)), form)
    for length in range(0, len(content.getvalue()), 7):
        try:
            picture = read_picture(BytesIO(content.getvalue()[:length]), "x", 3)
        except InputError:
            continue
        assert picture.shape == (3, 9, 9)


def test_more_pixels_than_are_safe_are_refused() -> None:
    """Ten thousand by ten thousand black pixels are 12 kB as a PNG."""
    bomb = packed(Image.new("1", (10_000, 10_000)))
    assert len(bomb.getvalue()) < 20_000
    assert problem(bomb).startswith(
        "expected an image, and it does not decode (Image size (100000000 pixels) exceeds limit"
    )


def test_a_size_in_words_is_width_first() -> None:
    assert measured(COLOURS) == "3 x 2 pixels"


def test_an_image_is_known_by_its_name() -> None:
    """Pillow's ending for every one of them, in either case."""
    Image.init()
    assert all(ending in Image.EXTENSION for ending in ENDINGS)
    assert all(is_image(Path(f"a/1{ending}")) for ending in (*ENDINGS, *map(str.upper, ENDINGS)))
    assert not any(is_image(Path(f"a/{name}")) for name in (".1.png", "png", "1.txt", "1.png.gz"))
