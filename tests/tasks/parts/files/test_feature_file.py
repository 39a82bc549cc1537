from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.feature_file import read_features, read_grid


class Trap:
    """What unpickles to a new folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


def saved(path: Path, array: Any, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


def problem(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_features(path)
    assert caught.value.path == path
    return caught.value.problem


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_column_is_a_frame(kind: str, order: Any, tmp_path: Path) -> None:
    array = np.asarray([[1, 2, 3], [4, 5, 6]], kind, order=order)
    assert read_features(saved(tmp_path / "a.npy", array)).tolist() == [[1, 4], [2, 5], [3, 6]]


def test_the_numbers_stay_in_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.ones((4, 5), np.float32))
    features = read_features(path)
    assert isinstance(features, np.memmap)
    assert not features.flags.writeable
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(np.float32(7).tobytes())
    assert features[4, 3] == 7


def test_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "a.npy", np.ones((2, 3)))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_features("~/a.npy").shape == (3, 2)


@pytest.mark.parametrize("name", ["missing.npy", "folder"])
def test_what_is_no_file_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    expected = "expected a NumPy file of features, and there is no such file; check the path"
    assert problem(tmp_path / name) == expected


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    assert "it cannot be read: " in problem(path)
    assert not (tmp_path / "sprung").exists()
    np.load(path, allow_pickle=True)
    assert (tmp_path / "sprung").exists()


def test_what_is_no_numpy_file_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.npy", np.ones((20, 30))).read_bytes()
    np.savez(tmp_path / "b.npz", a=np.ones((2, 3)))
    texts = [b"", b"hello", (tmp_path / "b.npz").read_bytes(), whole[:-1], whole[:60], whole[:5]]
    for content in texts:
        (tmp_path / "c.npy").write_bytes(content)
        found = problem(tmp_path / "c.npy")
        assert found.startswith("expected a NumPy file (.npy) of plain numbers, and it cannot be read: ")
        assert found.endswith("; write it with numpy.save")


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.ones(5), "float64 of shape (5,)"),
        (np.ones((2, 3, 4), np.float32), "float32 of shape (2, 3, 4)"),
        (np.ones((2, 3), np.int64), "int64 of shape (2, 3)"),
        (np.ones((2, 3), np.uint8), "uint8 of shape (2, 3)"),
        (np.ones((2, 3), bool), "bool of shape (2, 3)"),
        (np.ones((2, 3), np.complex64), "complex64 of shape (2, 3)"),
    ],
)
def test_another_shape_or_type_is_refused(array: Any, got: str, tmp_path: Path) -> None:
    expected = f"expected floating-point numbers of shape (features, frames), got {got}"
    assert problem(saved(tmp_path / "a.npy", array)) == expected


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_nothing_is_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    assert problem(saved(tmp_path / "a.npy", np.ones(shape))).startswith("expected ")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_the_first_frame_that_is_not_finite_is_named(number: float, tmp_path: Path) -> None:
    array = np.ones((3, 9), np.float16)
    array[2, 4] = array[0, 7] = number
    expected = "the features of frame 4 (from 0) are not all finite numbers"
    assert problem(saved(tmp_path / "a.npy", array)) == expected


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_row_is_a_place(kind: str, order: Any, tmp_path: Path) -> None:
    array = np.asarray([[1, 2, 3], [4, 5, 6]], kind, order=order)
    features = read_grid(saved(tmp_path / "a.npy", array))
    assert features.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert isinstance(features, np.memmap)


@pytest.mark.parametrize("order", ["C", "F"])
def test_maps_are_read_place_by_place_row_by_row(order: Any, tmp_path: Path) -> None:
    maps = np.empty((4, 2, 3), order=order)
    for feature, row, column in np.ndindex(maps.shape):
        maps[feature, row, column] = 100 * feature + 10 * row + column
    assert read_grid(saved(tmp_path / "a.npy", maps)).tolist() == [
        [100 * feature + 10 * row + column for feature in range(4)] for row in range(2) for column in range(3)
    ]


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.ones(5), "float64 of shape (5,)"),
        (np.ones((1, 2, 3, 4), np.float32), "float32 of shape (1, 2, 3, 4)"),
        (np.ones((2, 3), np.uint8), "uint8 of shape (2, 3)"),
        (np.ones((0, 3)), "float64 of shape (0, 3)"),
        (np.ones((3, 2, 0)), "float64 of shape (3, 2, 0)"),
    ],
)
def test_what_is_no_grid_is_refused(array: Any, got: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_grid(saved(tmp_path / "a.npy", array))
    assert caught.value.problem == (
        f"expected floating-point numbers of shape (places, features) or (features, height, width), got {got}"
    )


def test_the_first_place_that_is_not_finite_is_named(tmp_path: Path) -> None:
    grid, maps = np.ones((9, 3)), np.ones((3, 2, 5))
    grid[4, 2] = grid[7, 0] = np.nan
    maps[2, 1, 3] = np.inf
    for array, place in ((grid, 4), (maps, 8)):
        with pytest.raises(InputError) as caught:
            read_grid(saved(tmp_path / "a.npy", array))
        assert caught.value.problem == f"the features of place {place} (from 0) are not all finite numbers"
    with pytest.raises(InputError, match="there is no such file"):
        read_grid(tmp_path / "b.npy")
