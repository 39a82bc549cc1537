"""Photographs against arrays that they were written from."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.photograph import photograph, read_photograph


def packed(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], **options: object) -> BytesIO:
    file = BytesIO()
    Image.fromarray(array).save(file, "png", **options)
    return file


def numbered(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


@pytest.mark.parametrize(
    ("height", "width", "kept"),
    [
        (4, 4, np.s_[:, :]),
        (4, 10, np.s_[:, 3:7]),
        (10, 4, np.s_[3:7, :]),
    ],
)
def test_the_middle_is_kept_and_not_stretched(height: int, width: int, kept: object) -> None:
    array = numbered(height, width)
    found = photograph(packed(array), "x", 1, (4, 4))
    assert found.dtype == np.uint8
    assert found.tolist() == [array[kept].tolist()]  # type: ignore[index]


def test_a_size_is_height_and_width() -> None:
    array = numbered(4, 10)
    assert photograph(packed(array), "x", 1, (4, 6)).tolist() == [array[:, 2:8].tolist()]
    assert photograph(packed(array), "x", 1, (2, 10)).tolist() == [array[1:3].tolist()]


def test_the_shorter_side_is_scaled_and_no_pixel_left_out() -> None:
    """Of 60 x 100 pixels the middle 60 are kept: twenty columns of each shade between two of another."""
    array = np.full((60, 100), 255, np.uint8)
    for number, shade in enumerate((30, 90, 150)):
        array[:, 20 * (number + 1) : 20 * (number + 2)] = shade
    (found,) = photograph(packed(array), "x", 1, (30, 30))
    assert found[:, [5, 15, 25]].tolist() == [[30, 90, 150]] * 30
    lines = np.zeros((200, 200), np.uint8)
    lines[:, ::10] = 250
    assert np.abs(photograph(packed(lines), "x", 1, (10, 10)).astype(float) - 25).max() < 5


def test_small_photographs_are_made_larger() -> None:
    assert photograph(packed(np.full((2, 3), 7, np.uint8)), "x", 3, (8, 8)).tolist() == [[[7] * 8] * 8] * 3


def test_colours_are_red_green_and_blue() -> None:
    array = np.array([[[200, 10, 30]]], np.uint8)
    assert photograph(packed(array), "x", 3, (1, 1)).tolist() == [[[200]], [[10]], [[30]]]
    luma = 0.299 * 200 + 0.587 * 10 + 0.114 * 30  # ITU-R BT.601
    assert abs(photograph(packed(array), "x", 1, (1, 1)).item() - luma) <= 1


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_it_is_turned_as_the_camera_says(orientation: int, turned: int) -> None:
    """EXIF: 3 is upside down, 6 has its top on the right, 8 on the left."""
    array = numbered(4, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (found,) = photograph(packed(array, exif=exif), "x", 1, (4, 4))
    assert found.tolist() == np.rot90(array, turned).tolist()


def test_a_file_is_read_from_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(packed(numbered(3, 3)).getvalue())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_photograph("~/a.png", 1, (3, 3)).tolist() == [numbered(3, 3).tolist()]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(packed(numbered(9, 9)).getvalue()[:48])
    for name, problem in (
        ("no.png", "expected an image, and there is no such file; check the path"),
        (".", "expected an image, and there is no such file; check the path"),
        ("cut.png", "expected an image, and it does not decode"),
    ):
        with pytest.raises(InputError) as caught:
            read_photograph(tmp_path / name, 3, (4, 4))
        assert caught.value.path == tmp_path / name
        assert caught.value.problem.startswith(problem)
    deep = BytesIO()
    Image.fromarray(np.ones((2, 2), np.uint16)).save(deep, "tiff")
    with pytest.raises(InputError, match=r"^row 3: expected 8 bits a channel, got an image of mode I"):
        photograph(deep, "row 3", 3, (2, 2))
