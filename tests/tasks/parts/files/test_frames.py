from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rnnx.tasks.parts.files.frames import to_tensor

NUMBERS = np.array([[0.5, -2.0, 1024.0], [0.25, 3.0, -0.125]])


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
def test_features_are_of_torchs_own_type(kind: str) -> None:
    found = to_tensor(NUMBERS.astype(kind))
    assert found.dtype == torch.float32
    assert found.tolist() == NUMBERS.tolist()


@pytest.mark.usefixtures("doubles")
def test_in_64_bits_nothing_is_lost() -> None:
    numbers = np.array([[1 / 3, 1e-300]])
    assert to_tensor(numbers).tolist() == numbers.tolist()


def test_pictures_stay_bytes() -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    found = to_tensor(pictures)
    assert found.dtype == torch.uint8
    assert found.tolist() == pictures.tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_it_is_a_copy_also_of_what_cannot_be_written(kind: type[np.generic], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((4, 6), kind))
    frames = np.load(tmp_path / "x.npy", mmap_mode="r").T[::2]
    found = to_tensor(frames)
    found += 1
    assert found.shape == (3, 4)
    assert frames.max() == 1
