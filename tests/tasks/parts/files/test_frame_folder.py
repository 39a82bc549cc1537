from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.frame_folder import image_files, read_frames


def written(path: Path, shade: int, size: tuple[int, int] = (4, 3)) -> None:
    """A picture of one shade, of that width and height."""
    path.parent.mkdir(exist_ok=True)
    Image.new("L", size, shade).save(path)


def problem(folder: Path, path: Path | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_frames(folder, 3)
    assert caught.value.path == (path or folder)
    return caught.value.problem


def test_frames_are_in_natural_order(tmp_path: Path) -> None:
    names = ["f1.png", "f2.bmp", "f9.PNG", "f10.png", "f010.png", "f11a2.png", "f11a10.png", "g1.png"]
    for number, name in enumerate(names):
        written(tmp_path / name, 10 * number)
    order = [file.name for file in image_files(tmp_path)]
    assert order == ["f1.png", "f2.bmp", "f9.PNG", "f010.png", "f10.png", "f11a2.png", "f11a10.png", "g1.png"]
    frames = read_frames(tmp_path, 1)
    assert frames.shape == (8, 1, 3, 4)
    assert frames.dtype == np.uint8
    assert frames[:, 0, 0, 0].tolist() == [0, 10, 20, 40, 30, 50, 60, 70]
    assert (frames == frames[:, :1, :1, :1]).all()


def test_numbers_and_words_can_stand_side_by_side(tmp_path: Path) -> None:
    for name in ("7.png", "a.png", "\u0667.png", "7a.png"):
        written(tmp_path / name, 0)
    assert {file.name for file in image_files(tmp_path)} == {"7.png", "a.png", "\u0667.png", "7a.png"}


def test_other_files_are_not_looked_at(tmp_path: Path) -> None:
    written(tmp_path / "1.png", 5)
    for name in ("labels.txt", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).write_text("?")
    assert read_frames(tmp_path, 1).tolist() == [[[[5] * 4] * 3]]


def test_colours_and_sizes_are_asked_for(tmp_path: Path) -> None:
    written(tmp_path / "1.png", 5)
    written(tmp_path / "2.png", 9, size=(40, 20))
    frames = read_frames(tmp_path, 3, size=(6, 8))
    assert frames.tolist() == [[[[shade] * 8] * 6] * 3 for shade in (5, 9)]


def test_frames_of_another_size_are_named(tmp_path: Path) -> None:
    for name, size in (("1.png", (4, 3)), ("2.png", (4, 3)), ("10.png", (3, 4))):
        written(tmp_path / name, 0, size)
    expected = "expected 4 x 3 pixels as in '1.png', got 3 x 4 pixels; data.size scales all frames"
    assert problem(tmp_path, tmp_path / "10.png") == expected


def test_a_frame_that_does_not_decode_is_named(tmp_path: Path) -> None:
    written(tmp_path / "1.png", 0)
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:-30])
    assert problem(tmp_path, tmp_path / "2.png").startswith("expected an image, and it does not decode")


def test_a_folder_that_is_none_or_has_none_is_said(tmp_path: Path) -> None:
    no_folder = "expected a folder of images, and there is no such folder; check the path"
    written(tmp_path / "1.png", 0)
    assert problem(tmp_path / "no") == problem(tmp_path / "1.png") == no_folder
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "labels.txt").write_text("pour\n")
    assert problem(tmp_path / "empty").startswith("expected image files (.bmp, .gif, .jpeg, .jpg, ")
