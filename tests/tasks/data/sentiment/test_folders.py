"""Folders and archives of texts, in the layout of the Large Movie Review Dataset."""

from __future__ import annotations

import io
import logging
import tarfile
from pathlib import Path

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.data.sentiment.folders import archive_of, read
from rnnx.tasks.data.sentiment.texts import Found

TEXTS = {
    "train/neg/0_3.txt": "Not good.<br />\n",
    "train/neg/10_1.txt": " Bad, bad.",
    "train/pos/1_9.txt": "Très bien!",
    "train/pos/notes.md": "no review",
    "train/pos/deep/2_9.txt": "no review",
    "train/unsup/3_0.txt": "no label",
    "train/urls.txt": "no review",
    "test/pos/0_10.txt": "Great",
}
TRAIN = [("Not good.<br />", "neg"), ("Bad, bad.", "neg"), ("Très bien!", "pos")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        file = tmp_path / "imdb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "imdb"


def packed(folder: Path, name: str, top: str) -> Path:
    archive = folder.parent / name
    with tarfile.open(archive, "w" if name.endswith(".tar") else "w:gz") as file:
        file.add(folder, top)
    return archive


def rows(found: list[Found]) -> list[tuple[str, str]]:
    return [(text.text, text.label) for text in found]


def test_each_text_has_the_label_of_its_folder(folder: Path) -> None:
    found = read(folder / "train", skip=False)
    assert rows(found) == TRAIN
    assert found[1].path == f"{folder}/train/neg/10_1.txt"
    assert rows(read(folder / "test", skip=False)) == [("Great", "pos")]


def test_line_ends_of_windows_are_line_feeds(tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    (tmp_path / "pos" / "1.txt").write_bytes(b"so\r\ngood\r\n")
    assert rows(read(tmp_path, skip=False)) == [("so\ngood", "pos")]


@pytest.mark.parametrize(
    ("name", "top", "inner"),
    [("a.tar.gz", "imdb", "imdb/train"), ("a.tgz", "./imdb", "imdb/train"), ("a.tar", ".", "train")],
)
def test_an_archive_is_read_without_unpacking_it(folder: Path, name: str, top: str, inner: str) -> None:
    archive = packed(folder, name, top)
    found = read(archive / inner, skip=False)
    assert rows(found) == TRAIN
    assert found[2].path == f"{archive}/{inner}/pos/1_9.txt"


def test_a_path_that_leads_into_an_archive_is_known(folder: Path) -> None:
    archive = packed(folder, "a.tar.gz", "imdb")
    assert archive_of(archive / "imdb" / "train") == archive
    assert archive_of(archive) == archive
    assert archive_of(folder / "train") is None
    assert archive_of(folder / "none.tar.gz" / "train") is None
    (folder / "folder.tar").mkdir()
    assert archive_of(folder / "folder.tar") is None


@pytest.mark.parametrize("in_archive", [False, True])
def test_a_text_that_cannot_be_used_is_named_or_left_out(
    folder: Path, in_archive: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "train/neg/10_1.txt").write_bytes(b"so\nbad \xe9")
    (folder / "train/pos/1_9.txt").write_text(" \n")
    place = packed(folder, "a.tar.gz", "imdb") / "imdb/train" if in_archive else folder / "train"
    with pytest.raises(InputError) as caught:
        read(place, skip=False)
    message = f"{place}/neg/10_1.txt:2: not UTF-8: byte 0xe9"
    assert str(caught.value) == message
    with caplog.at_level(logging.WARNING):
        assert rows(read(place, skip=True)) == TRAIN[:1]
    assert caplog.messages == [f"'{place}': left out 2 of 3 texts; the first: {message}"]
    (folder / "train/neg/10_1.txt").write_text("x")
    place = packed(folder, "b.tar.gz", "imdb") / "imdb/train" if in_archive else folder / "train"
    with pytest.raises(InputError, match=r"pos/1_9\.txt: expected a text, got an empty one"):
        read(place, skip=False)


def test_a_folder_without_texts_is_an_error(folder: Path) -> None:
    for place in (folder / "test/pos", packed(folder, "a.tar.gz", "imdb") / "train"):
        with pytest.raises(InputError) as caught:
            read(place, skip=True)
        assert str(caught.value) == (
            f"{place}: expected a folder for each label with a file *.txt for each text in it"
        )


def test_only_files_in_an_archive_are_texts_and_nothing_leads_out_of_it(folder: Path) -> None:
    """A link out of it, one to a text, a device, a pipe, and names that climb."""
    archive = packed(folder, "a.tar", "imdb")
    secret = folder / "secret.txt"
    secret.write_text("secret")
    with tarfile.open(archive, "a") as file:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(f"imdb/train/pos/{number}.txt")
            member.type, member.linkname = kind, str(secret)
            file.addfile(member)
        for name in ("imdb/train/pos/../../../up.txt", "/imdb/train/pos/a.txt", "../imdb/train/pos/a.txt"):
            member = tarfile.TarInfo(name)
            member.size = 1
            file.addfile(member, io.BytesIO(b"x"))
    before = sorted(folder.rglob("*"))
    assert rows(read(archive / "imdb/train", skip=False)) == TRAIN
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_archive_is_an_error(folder: Path, share: float) -> None:
    archive = packed(folder, "a.tar.gz", "imdb")
    raw = archive.read_bytes()
    archive.write_bytes(raw[: int(share * len(raw))] or b"no archive")
    with pytest.raises(InputError, match=r"a\.tar\.gz: not an intact archive"):
        read(archive / "imdb/train", skip=True)
