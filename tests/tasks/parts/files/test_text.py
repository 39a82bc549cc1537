from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.parts.files.text import read_lines, read_text, split_lines

# everything that str.splitlines would break at, inside lines that must stay whole
STRANGE = ["a\x0bb\x0cc", "d\x1ce\x1df\x1eg", "h\x85i", "j\u2028k\u2029l", "m\rn"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\n".join(STRANGE).encode() + b"\n")
    assert read_lines(file) == STRANGE


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\n\n\nb\n\n", ["a", "", "", "b", ""]),
        (b"\n", [""]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b" a \t\n", [" a \t"]),
    ],
)
def test_lines(tmp_path: Path, raw: bytes, lines: list[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(raw)
    assert read_lines(file) == lines


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), min_size=1))
def test_joined_lines_come_apart_again(lines: list[str]) -> None:
    assert split_lines("".join(f"{line}\n" for line in lines)) == lines


def test_text_keeps_every_character(tmp_path: Path) -> None:
    file = tmp_path / "a.txt.gz"
    text = "ä\n\nö".join(STRANGE)
    file.write_bytes(gzip.compress(text.encode()))
    assert read_text(file) == text


def test_text_saved_on_windows_is_what_python_reads(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffä\r\n\r\nö\r\n".encode())
    assert read_text(file) == file.read_text(encoding="utf-8-sig") == "ä\n\nö\n"


def test_a_missing_file_names_the_like(tmp_path: Path) -> None:
    (tmp_path / "train.de").write_text("x\n")
    with pytest.raises(UsageError) as caught:
        read_lines(tmp_path / "trian.de")
    assert str(caught.value) == f"{tmp_path}/trian.de: no such file; did you mean 'train.de'?"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_lines(tmp_path / "no" / "train.de")
    assert str(caught.value) == (
        f"{tmp_path}/no/train.de: no such file; there is no folder '{tmp_path}/no' either; check the path"
    )


def test_a_file_taken_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x\n")
    with pytest.raises(UsageError, match="no such file"):
        read_lines(tmp_path / "file" / "train.de")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_lines(tmp_path)
    assert str(caught.value) == f"{tmp_path}: this is a folder; expected a text file"


@pytest.mark.parametrize(("name", "raw"), [("a", b""), ("a.gz", gzip.compress(b"", mtime=0))])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_lines(tmp_path / name)
    assert str(caught.value) == f"{tmp_path}/{name}: the file is empty; expected UTF-8 text"


@pytest.mark.parametrize("packed", [False, True])
def test_bytes_that_are_not_utf8_are_found(tmp_path: Path, packed: bool) -> None:
    raw = "één\ntwee\u2028\nah".encode() + b"\xff!\n"
    file = tmp_path / ("a.gz" if packed else "a")
    file.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(InputError) as caught:
        read_lines(file)
    assert str(caught.value) == (
        f"{file}:3: not UTF-8: byte 0xff at byte 3 of the line; "
        "convert the file, for example with iconv -f latin1 -t utf-8"
    )


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf16_is_told_by_its_mark(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a").write_bytes(
        mark + "één".encode("utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-16-le")
    )
    with pytest.raises(InputError, match="with iconv -f utf-16 -t utf-8"):
        read_lines(tmp_path / "a")


@pytest.mark.parametrize("kept", [1, 9, 15, 60, -1])
def test_a_truncated_archive_is_refused_and_left_alone(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "a.gz"
    raw = gzip.compress("".join(f"line {n * n}\n" for n in range(500)).encode())[:kept]
    file.write_bytes(raw)
    with pytest.raises(InputError, match="copy or download it again"):
        read_lines(file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    assert file.read_bytes() == raw


@pytest.mark.parametrize("at", [0, 20, -8])
def test_a_corrupt_archive_is_refused(tmp_path: Path, at: int) -> None:
    raw = bytearray(gzip.compress("".join(f"line {n * n}\n" for n in range(500)).encode()))
    raw[at] ^= 0xFF
    (tmp_path / "a.gz").write_bytes(raw)
    with pytest.raises(InputError, match="copy or download it again"):
        read_lines(tmp_path / "a.gz")
