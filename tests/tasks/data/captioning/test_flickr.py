"""Captions and lists in Flickr8k's format, of text files that stand for images."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.captioning.flickr import Flickr

CAPTIONS = """\
a.jpg#0\tA dog runs .
a.jpg#1\tOne dog .
b#b.jpg#0\tA cat sits .
c.jpg#0\tA red car .
d.jpg#0\tTwo men stand .
unlisted.jpg#0\tNobody asks .
"""
NINES = "9" * 5000  # more digits than Python turns into a number


@final
@dataclass(kw_only=True, eq=False)
class Given(Flickr):
    """Image files are text: the number of features."""

    root: str

    def place(self, name: str, path: Path, line: int) -> Path:
        if name == "out":
            raise InputError(path, "'out' is outside", line)
        return Path(self.root) / name

    def reader(self, place: Path) -> Callable[[], NDArray[Any]]:
        return partial(_read, place)


def _read(place: Path) -> NDArray[Any]:
    return np.zeros((1, int(place.read_text())))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "captions.txt").write_text(CAPTIONS)
    for name in ("a.jpg", "b#b.jpg", "c.jpg", "d.jpg"):
        (tmp_path / name).write_text("3")
    (tmp_path / "train.txt").write_text("b#b.jpg\na.jpg\n")
    (tmp_path / "valid.txt").write_text("c.jpg")
    (tmp_path / "test.txt").write_text("d.jpg\n")
    return tmp_path


def given(root: Path, skip: bool = False) -> Given:
    return Given(
        root=str(root),
        captions=str(root / "captions.txt"),
        train=str(root / "train.txt"),
        valid=str(root / "valid.txt"),
        test=str(root / "test.txt"),
        skip=skip,
    )


def found(data: Given) -> dict[str, list[tuple[str, list[str]]]]:
    return {
        split: [(Path(image.place).name, image.captions) for image in images]
        for split, images in data.captioned().items()
    }


def problem(root: Path, skip: bool = False) -> str:
    """Without the folder, which is another in each test."""
    with pytest.raises((InputError, UsageError)) as caught:
        given(root, skip).prepare()
    return str(caught.value).replace(f"{root}/", "")


def test_lists_say_what_is_in_a_split_and_in_which_order(root: Path) -> None:
    assert found(given(root)) == {
        "train": [("b#b.jpg", ["A cat sits ."]), ("a.jpg", ["A dog runs .", "One dog ."])],
        "valid": [("c.jpg", ["A red car ."])],
        "test": [("d.jpg", ["Two men stand ."])],
    }


def test_captions_are_in_the_order_of_their_numbers(root: Path) -> None:
    (root / "captions.txt").write_text(
        "a.jpg#10\tten\r\nb#b.jpg#0\tb\na.jpg#2\ttwo\ttabs\n\n c.jpg#0\tc\nc.jpg#0\tc\nd.jpg#0\td\n"
    )
    (root / "train.txt").write_text("a.jpg\r\n\n  b#b.jpg  \n\n")
    assert found(given(root))["train"] == [("a.jpg", ["two\ttabs", "ten"]), ("b#b.jpg", ["b"])]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.jpg#2 One dog .", "expected NAME.jpg#0, a tab and a caption, got 'a.jpg#2 One dog .'"),
        ("a.jpg\tOne dog .", "expected NAME.jpg#0, a tab and a caption, got 'a.jpg\\tOne dog .'"),
        ("a.jpg#\tOne dog .", "expected NAME.jpg#0, a tab and a caption, got 'a.jpg#\\tOne dog .'"),
        ("a.jpg#x\tOne", "expected NAME.jpg#0, a tab and a caption, got 'a.jpg#x\\tOne'"),
        ("a.jpg#²\tOne", "expected NAME.jpg#0, a tab and a caption, got 'a.jpg#²\\tOne'"),
        (f"a.jpg#{NINES}\tOne", f"expected NAME.jpg#0, a tab and a caption, got 'a.jpg#{NINES}\\tOne'"),
        ("#2\tOne", "expected NAME.jpg#0, a tab and a caption, got '#2\\tOne'"),
        ("a.jpg#2\t", "expected a caption with a word in it, got ''"),
        ("a.jpg#2\t .", "expected a caption with a word in it, got ' .'"),
        ("a.jpg#1\tOne dog .", "'a.jpg#1' stands in a line above; give it another number"),
    ],
)
def test_a_wrong_caption_is_named_with_its_line(line: str, expected: str, root: Path) -> None:
    (root / "captions.txt").write_text(CAPTIONS + line + "\n")
    assert problem(root) == f"captions.txt:7: {expected}"


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("train.txt", "a.jpg\nno.jpg\n", "train.txt:2: there is no file 'no.jpg'"),
        ("test.txt", "train.txt\n", "test.txt:1: there is no caption of 'train.txt'; give one"),
        ("test.txt", "d.jpg\n\nout\n", "test.txt:3: 'out' is outside"),
        ("train.txt", "d.jpg\nd.jpg\n", "train.txt:2: 'd.jpg' is in 'train.txt:1' already; leave one out"),
        ("test.txt", "d.jpg\na.jpg\n", "test.txt:2: 'a.jpg' is in 'train.txt:2' already; leave one out"),
        ("valid.txt", "\n \n", "valid.txt: expected valid images, and there is none"),
        ("valid.txt", "", "data.valid: the file 'valid.txt' is empty"),
        ("c.jpg", "4", "c.jpg: expected 3 features, as 'b#b.jpg' has, got 4"),
    ],
)  # fmt: skip
def test_a_wrong_image_is_named_with_its_line(file: str, content: str, expected: str, root: Path) -> None:
    (root / file).write_text(content)
    assert problem(root) == expected


def test_the_same_file_by_another_name_is_the_same(root: Path) -> None:
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "captions.txt").write_text(CAPTIONS + "link.jpg#0\tA dog .\n")
    (root / "test.txt").write_text("link.jpg\n")
    assert problem(root) == "test.txt:1: 'link.jpg' is in 'train.txt:2' already; leave one out"


@pytest.mark.parametrize("file", ["captions.txt", "train.txt"])
def test_what_is_not_utf_8_is_named(file: str, root: Path) -> None:
    (root / file).write_bytes(b"a.jpg#0\tdog\na.jpg#1\tcaf\xe9\n")
    assert problem(root).startswith(f"{file}:2: not UTF-8: byte 0xe9 at byte 12")


def test_missing_files_are_said_before_any_image_is_read(root: Path) -> None:
    (root / "b#b.jpg").write_text("no number")
    (root / "test.txt").unlink()
    assert problem(root).startswith("data.test: there is no file 'test.txt'; ")
    (root / "test.txt").write_text("d.jpg\n")
    (root / "captions.txt").unlink()
    assert problem(root).startswith("data.captions: there is no file 'captions.txt'; ")


def test_what_is_wrong_is_left_out_and_counted_where_that_is_asked_for(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "captions.txt").write_text("a.jpg\tOne dog .\n" + CAPTIONS + "d.jpg#1\t\n")
    (root / "train.txt").write_text("b#b.jpg\nno.jpg\na.jpg\nb#b.jpg\nout\n")
    with caplog.at_level(logging.WARNING):
        images = found(given(root, skip=True))
    assert [name for name, _ in images["train"]] == ["b#b.jpg", "a.jpg"]
    assert images["test"] == [("d.jpg", ["Two men stand ."])]
    captions, train = (message.replace(f"{root}/", "") for message in caplog.messages)
    assert captions.startswith(
        "'captions.txt': left out 2 of 8 captions; the first: captions.txt:1: expected "
    )
    assert train == ("'train.txt': left out 3 of 5 train images; the first: train.txt:5: 'out' is outside")


def test_a_split_of_which_nothing_is_left_is_refused(root: Path) -> None:
    (root / "test.txt").write_text("no.jpg\nnone.jpg\n")
    assert problem(root, skip=True) == (
        "test.txt: none of 2 test images can be used; the first: test.txt:1: there is no file 'no.jpg'"
    )
