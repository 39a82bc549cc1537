from __future__ import annotations

import gzip
from pathlib import Path
from typing import Literal

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.lm.files import Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(f" {name} text \n \n")
    return tmp_path


def test_three_files(folder: Path) -> None:
    data = Files(**{name: str(folder / f"{name}.txt") for name in ("train", "valid", "test")})
    assert data.texts() == {name: f" {name} text \n \n" for name in ("train", "valid", "test")}
    assert data.meta["tokens"] == {"train": 4, "valid": 4, "test": 4}


def test_one_file_cut(tmp_path: Path) -> None:
    (tmp_path / "all.gz").write_bytes(gzip.compress("".join(f"{n}\n" for n in range(10)).encode()))
    path = str(tmp_path / "all.gz")
    texts = Files(text=path, cut=(0.45, 0.25, 0.3)).texts()
    assert texts == {"train": "0\n1\n2\n3\n4\n", "valid": "5\n6\n", "test": "7\n8\n9\n"}
    texts = Files(text=path, cut=(0.45, 0.25, 0.3), level="char").texts()
    assert texts == {"train": "0\n1\n2\n3\n4", "valid": "\n5\n6\n", "test": "7\n8\n9\n"}


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_line_ends_of_windows_change_nothing(tmp_path: Path, level: Literal["char", "word", "bpe"]) -> None:
    text = "one two\n\nthree four\n" * 4
    (tmp_path / "unix.txt").write_bytes(text.encode())
    (tmp_path / "windows.txt").write_bytes(text.replace("\n", "\r\n").encode())
    splits = ("train", "valid", "test")
    cut = (0.5, 0.25, 0.25)
    metas = []
    for name in ("unix", "windows"):
        path = str(tmp_path / f"{name}.txt")
        given = [Files(text=path, cut=cut, level=level), Files(**dict.fromkeys(splits, path), level=level)]
        metas.append([data.meta for data in given])
    assert metas[0] == metas[1]
    assert metas[0][1]["characters"] == dict.fromkeys(splits, len(text))


def test_missing_options_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Files(valid="v.txt")
    assert caught.value.problems == (
        "data.train: no file given; give one, or data.text=FILE for all",
        "data.test: no file given; give one, or data.text=FILE for all",
    )


def test_both_forms_at_once_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Files(text="a.txt", test="t.txt")
    assert str(caught.value) == (
        "data.text: it is cut into all three splits, but data.test is given too; leave one out"
    )


def test_nothing_is_read_before_it_is_prepared(folder: Path) -> None:
    data = Files(**{name: str(folder / f"{name}.tx") for name in ("train", "valid", "test")})
    with pytest.raises(
        UsageError, match=r"^data.train: there is no file '.*train\.tx'; did you mean 'train\.txt'"
    ):
        data.prepare()


def test_an_empty_file_is_refused(folder: Path) -> None:
    (folder / "test.txt").write_bytes(b"")
    data = Files(**{name: str(folder / f"{name}.txt") for name in ("train", "valid", "test")})
    with pytest.raises(UsageError, match=r"^data.test: the file '.*test\.txt' is empty$"):
        data.prepare()
