from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.data.video.features import Features

LENGTHS = {"tea": 6, "soup": 4, "rice": 5}


def written(root: Path, folder: str = "features") -> Path:
    """Three videos, each frame with its number as the first of two features."""
    for name in (folder, "groundTruth", "splits"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "mapping.txt").write_text("0 rest\n1 pour\n")
    (root / "splits/train.split2.bundle").write_text("tea.txt\nsoup.txt\n")
    (root / "splits/test.split2.bundle").write_text("rice.txt\n")
    for name, length in LENGTHS.items():
        np.save(root / folder / f"{name}.npy", np.stack([np.arange(length), np.ones(length)]).astype("f2"))
        labels = ["rest", *["pour"] * (length - 1)]
        (root / f"groundTruth/{name}.txt").write_text("\n".join(labels) + "\n")
    return root


def data(root: Path) -> Features:
    return Features(path=str(root), split=2, valid=("soup",), every=2)


def test_columns_of_the_arrays_are_frames(tmp_path: Path) -> None:
    found = data(written(tmp_path))
    (batch,) = found.loader("train")
    assert batch.inputs.tolist() == [[[0, 1], [2, 1], [4, 1]]]
    assert batch.targets.tolist() == [[0, 1, 1]]
    assert found.meta == {
        "classes": ["rest", "pour"],
        "shape": [2],
        "every": 2,
        "videos": {"train": 1, "valid": 1, "test": 1},
        "places": [f"{tmp_path}/features/rice.npy"],
    }


def test_a_split_may_have_features_of_its_own(tmp_path: Path) -> None:
    found = data(written(written(tmp_path), "features/split2"))
    assert found.meta["places"] == [f"{tmp_path}/features/split2/rice.npy"]


def test_features_and_labels_of_different_length_are_refused(tmp_path: Path) -> None:
    (written(tmp_path) / "groundTruth/soup.txt").write_text("rest\n" * 3)
    with pytest.raises(InputError) as caught:
        data(tmp_path).prepare()
    assert str(caught.value) == (
        f"{tmp_path}/groundTruth/soup.txt: 3 labels, but '{tmp_path}/features/soup.npy' has 4 frames; "
        "expected a label for each"
    )


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    (written(tmp_path) / "features/rice.npy").unlink()
    with pytest.raises(InputError) as caught:
        data(tmp_path).prepare()
    assert caught.value.path == tmp_path / "features/rice.npy"
