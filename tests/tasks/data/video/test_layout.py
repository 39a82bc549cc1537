from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.video.layout import Entry, Layout

NAMES = {"train": ["P1_tea", "P1_soup", "P2_tea", "P2_soup", "P3_tea"], "test": ["P4_tea"]}
LABELS = ["background", "pour", "pour", "stir"]


@final
@dataclass(kw_only=True, eq=False)
class Given(Layout):
    """A text file says how many frames a video has, and how many numbers each of them."""

    def place(self, entry: Entry) -> Path:
        return entry.file(self.root / "given")

    def read(self, place: Path) -> NDArray[Any]:
        frames, numbers = map(int, place.read_text().split())
        if not frames:
            raise InputError(place, "there is none")
        return np.zeros((frames, numbers))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder as it should be."""
    for folder in ("given", "groundTruth", "splits"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mapping.txt").write_text("0 background\n1 pour\n2 stir\n")
    for part, names in NAMES.items():
        (tmp_path / f"splits/{part}.split1.bundle").write_text("".join(f"{name}.txt\n" for name in names))
        for name in names:
            (tmp_path / f"groundTruth/{name}.txt").write_text("".join(f"{label}\n" for label in LABELS))
            (tmp_path / f"given/{name}").write_text("4 7")
    return tmp_path


def given(root: Path, valid: tuple[str, ...] = ("P2_",), skip: bool = False, split: int = 1) -> Given:
    return Given(path=str(root), valid=valid, skip=skip, split=split)


def places(data: Given) -> dict[str, list[str]]:
    return {split: [Path(video.place).name for video in videos] for split, videos in data.videos().items()}


def problem(data: Given) -> str:
    """Without the folder, which is another in each test."""
    with pytest.raises((InputError, UsageError)) as caught:
        data.prepare()
    return str(caught.value).replace(f"{data.path}/", "")


def test_bundles_say_what_is_in_a_split_and_whole_people_are_held_out(root: Path) -> None:
    assert places(given(root)) == {
        "train": ["P1_tea", "P1_soup", "P3_tea"],
        "valid": ["P2_tea", "P2_soup"],
        "test": ["P4_tea"],
    }
    assert places(given(root, ("P1_soup.txt", "P3")))["valid"] == ["P1_soup", "P3_tea"]


def test_the_split_has_a_number(root: Path) -> None:
    for part, name in (("train", "test"), ("test", "train")):
        (root / f"splits/{part}.split1.bundle").rename(root / f"splits/{name}.split3.bundle")
    (root / "splits/train.split3.bundle").write_text("P4_tea\nP1_tea.txt\n\n")  # with and without the ending
    (root / "splits/test.split3.bundle").write_text("P2_tea.txt")
    assert places(given(root, ("P1",), split=3)) == {
        "train": ["P4_tea"],
        "valid": ["P1_tea"],
        "test": ["P2_tea"],
    }


def test_labels_are_numbers_of_the_mapping(root: Path) -> None:
    (root / "mapping.txt").write_text("2 background\r\n0 stir\r\n1 pour\r\n\r\n")
    (root / "groundTruth/P4_tea.txt").write_text("stir\r\npour \r\nbackground\r\npour")
    data = given(root)
    assert data.classes == data.meta["classes"] == ["stir", "pour", "background"]
    (video,) = data.videos()["test"]
    assert video.labels == [0, 1, 2, 1]
    assert video.inputs.shape == (4, 7)
    assert video.place == f"{root}/given/P4_tea"


def test_a_path_from_home_or_from_here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    assert places(given(Path("~") / root.name))["test"] == ["P4_tea"]
    monkeypatch.chdir(root)
    (video,) = given(Path()).videos()["test"]
    assert video.place == "given/P4_tea"


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("mapping.txt", "0 a\n1\n", "mapping.txt:2: expected a number and a name, such as '3 pour', got '1'"),
        ("mapping.txt", "x a\n", "mapping.txt:1: expected a number and a name, such as '3 pour', got 'x a'"),
        (
            "mapping.txt",
            "0 a b\n",
            "mapping.txt:1: expected a number and a name, such as '3 pour', got '0 a b'",
        ),
        (
            "mapping.txt",
            "0 a\n\n1 b\n",
            "mapping.txt:2: expected a number and a name, such as '3 pour', got ''",
        ),
        (
            "mapping.txt",
            "0 a\n0 b\n",
            "mapping.txt:2: the number or the name of '0 b' stands in a line above; give it another",
        ),
        (
            "mapping.txt",
            "0 a\n1 a\n",
            "mapping.txt:2: the number or the name of '1 a' stands in a line above; give it another",
        ),
        (
            "mapping.txt",
            f"{10**20} a\n",
            f"mapping.txt:1: expected a number and a name, such as '3 pour', got '{10**20} a'",
        ),
        ("mapping.txt", "1 a\n2 b\n", "mapping.txt: expected the numbers 0 to 1, got 1, 2"),
        ("mapping.txt", "", "mapping.txt: the file is empty; expected UTF-8 text"),
        (
            "groundTruth/P1_soup.txt",
            "pour\npuor\nstir\nstir\n",
            "groundTruth/P1_soup.txt:2: 'puor' is no class of 'mapping.txt'; did you mean 'pour'?",
        ),
        (
            "groundTruth/P4_tea.txt",
            "pour\npour\n\nstir\n",
            "groundTruth/P4_tea.txt:3: '' is no class of 'mapping.txt'; "
            "the classes are background, pour, stir",
        ),
        (
            "groundTruth/P2_tea.txt",
            "pour\npour\nstir\n",
            "groundTruth/P2_tea.txt: 3 labels, but 'given/P2_tea' has 4 frames; expected a label for each",
        ),
        ("given/P3_tea", "0 7", "given/P3_tea: there is none"),
        (
            "given/P2_soup",
            "4 8",
            "given/P2_soup: expected frames of 7 numbers, as those of 'given/P1_tea', got 8",
        ),
        (
            "splits/test.split1.bundle",
            "P4_tea.txt\nP5_tea.txt\n",
            "splits/test.split1.bundle:2: there is no 'groundTruth/P5_tea.txt' for 'P5_tea'",
        ),
        (
            "splits/test.split1.bundle",
            "../../etc/passwd.txt\n",
            "splits/test.split1.bundle:1: expected the name of a file in 'groundTruth', "
            "got '../../etc/passwd.txt'",
        ),
        (
            "splits/test.split1.bundle",
            f"{'x' * 300}.txt\n",
            "splits/test.split1.bundle:1: expected the name of a file in 'groundTruth', "
            f"got '{'x' * 300}.txt'",
        ),
        (
            "splits/train.split1.bundle",
            "P1_tea.txt\nP2_tea.txt\nP1_tea.txt\n",
            "splits/train.split1.bundle:3: 'P1_tea' is in the split a second time; leave one out",
        ),
        (
            "splits/test.split1.bundle",
            "P4_tea.txt\nP3_tea.txt\n",
            "splits/test.split1.bundle:2: 'P3_tea' is in the split a second time; leave one out",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line(file: str, content: str, expected: str, root: Path) -> None:
    (root / file).write_text(content)
    assert problem(given(root)) == expected


def test_what_is_not_utf_8_is_named(root: Path) -> None:
    (root / "groundTruth/P1_tea.txt").write_bytes(b"pour\nb\xe9\npour\npour\n")
    assert problem(given(root)).startswith("groundTruth/P1_tea.txt:2: not UTF-8: byte 0xe9 at byte 2")


def test_missing_folders_and_files_are_said(root: Path) -> None:
    assert problem(given(root / "no")) == f"data.path: there is no folder '{root}/no'; check the path"
    has = "the folder has test.split1.bundle, train.split1.bundle"
    assert problem(given(root, split=2)) == f"data.split: there is no 'splits/train.split2.bundle'; {has}"
    (root / "mapping.txt").unlink()
    assert problem(given(root)) == "data.path: expected a file 'mapping.txt', and there is none"
    for bundle in (root / "splits").iterdir():
        bundle.unlink()
    assert problem(given(root)).endswith("; the folder has no bundle")


def test_what_cannot_be_held_out_is_said(root: Path) -> None:
    bundle = "splits/train.split1.bundle"
    assert problem(given(root, ("P1_teas", "Q", "P2"))).splitlines() == [
        f"data.valid: 'P1_teas' begins no name in '{bundle}', which has P1_tea, P1_soup, P2_tea, ...",
        f"data.valid: 'Q' begins no name in '{bundle}', which has P1_tea, P1_soup, P2_tea, ...",
    ]
    assert problem(given(root, ("P",))) == (
        "data.valid: ['P'] holds out 5 of 5 training videos, expected some of them but not all"
    )
    assert problem(given(root, ())) == (
        "data.valid: [] holds out 0 of 5 training videos, expected some of them but not all"
    )


def test_wrong_videos_are_left_out_where_that_is_asked_for(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "groundTruth/P1_tea.txt").write_text("pour\n")
    (root / "groundTruth/P3_tea.txt").unlink()
    with caplog.at_level(logging.WARNING):
        assert places(given(root, skip=True)) == {
            "train": ["P1_soup"],
            "valid": ["P2_tea", "P2_soup"],
            "test": ["P4_tea"],
        }
    (message,) = caplog.messages
    bundle = root / "splits/train.split1.bundle"
    assert message.startswith(
        f"'{bundle}': left out 2 of 3 train videos; the first: {root}/groundTruth/P1_tea"
    )
    (root / "given/P4_tea").write_text("4 8")
    assert problem(given(root, skip=True)).startswith(
        "splits/test.split1.bundle: none of 1 test videos can be used; the first: "
    )
