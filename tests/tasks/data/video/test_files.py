from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from rnnx.core.errors import InputError
from rnnx.tasks.data.video.files import Files

RED = (90, 0, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three videos of twelve frames of 6 x 4 pixels; frame n has the blue n."""
    for folder in ("groundTruth", "splits"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mapping.txt").write_text("0 rest\n1 pour\n")
    (tmp_path / "splits/train.split1.bundle").write_text("tea.txt\nsoup.txt\n")
    (tmp_path / "splits/test.split1.bundle").write_text("rice.txt\n")
    for name in ("tea", "soup", "rice"):
        folder = tmp_path / "frames" / name
        folder.mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (6, 4), (90, 0, number)).save(folder / f"{number}.png")
        (tmp_path / f"groundTruth/{name}.txt").write_text("rest\n" * 5 + "pour\n" * 7)
    return tmp_path


def test_a_folder_of_images_is_a_video(root: Path) -> None:
    data = Files(path=str(root), valid=("tea",))
    assert data.meta["shape"] == [3, 4, 6]
    assert data.meta["places"] == [f"{root}/frames/rice"]
    (batch,) = data.loader("valid")
    assert batch.inputs.shape == (1, 12, 3, 4, 6)
    assert batch.inputs[0, :, 2, 0, 0].tolist() == list(range(12))
    assert batch.inputs[0, :, 0].unique().tolist() == [90]
    assert batch.targets.tolist() == [[0] * 5 + [1] * 7]


def test_frames_are_scaled_and_grey_where_that_is_asked_for(root: Path) -> None:
    Image.new("RGB", (60, 40), (90, 0, 3)).save(root / "frames/soup/3.png")
    data = Files(path=str(root), valid=("tea",), size=(2, 5), grey=True)
    assert data.meta["shape"] == [1, 2, 5]
    (batch,) = data.loader("train")
    assert batch.inputs.shape == (1, 12, 1, 2, 5)
    assert set(batch.inputs.unique().tolist()) <= {26, 27, 28, 29}  # 0.299 of 90, and 0.114 of the blue


def test_frames_of_different_sizes_are_refused(root: Path) -> None:
    Image.new("RGB", (6, 5), RED).save(root / "frames/soup/3.png")
    with pytest.raises(InputError) as caught:
        Files(path=str(root), valid=("tea",)).prepare()
    assert caught.value.path == root / "frames/soup/3.png"
    for number in range(12):
        Image.new("RGB", (6, 5), RED).save(root / f"frames/soup/{number}.png")
    with pytest.raises(InputError) as caught:
        Files(path=str(root), valid=("tea",)).prepare()
    assert str(caught.value) == (
        f"{root}/frames/tea: expected frames of 3 x 5 x 6 numbers, as those of '{root}/frames/soup', "
        "got 3 x 4 x 6"
    )


def test_a_frame_without_a_label_is_refused(root: Path) -> None:
    Image.new("RGB", (6, 4), RED).save(root / "frames/rice/12.png")
    with pytest.raises(InputError) as caught:
        Files(path=str(root), valid=("tea",)).prepare()
    assert str(caught.value) == (
        f"{root}/groundTruth/rice.txt: 12 labels, but '{root}/frames/rice' has 13 frames; "
        "expected a label for each"
    )
