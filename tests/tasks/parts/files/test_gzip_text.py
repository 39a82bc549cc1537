from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.gzip_text import open_packed

MEBIBYTE = 2**20


def packed(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, 9, mtime=0))
    return path


@pytest.mark.parametrize("name", ["a.gz", "a.txt.gz", "a.tgz", "a.tar.gz"])
def test_a_packed_file_is_unpacked_as_it_is_read(tmp_path: Path, name: str) -> None:
    content = bytes(range(256)) * 1000
    with open_packed(packed(tmp_path / name, content)) as file:
        assert file.read() == content
        assert file.seek(300) == 300
        assert file.read(2) == content[300:302]
        assert file.tell() == 302


def test_any_other_file_is_as_it_is(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.txt", b"text")
    with open_packed(path) as file:
        assert file.read() == path.read_bytes()


def test_lines_are_those_of_the_text(tmp_path: Path) -> None:
    with open_packed(packed(tmp_path / "a.gz", b"one\ntwo\r\n\nlast")) as file:
        assert list(file) == [b"one\n", b"two\r\n", b"\n", b"last"]


def test_a_file_that_was_made_to_fill_the_memory_is_refused_before_it_does(tmp_path: Path) -> None:
    """200 MiB of zeros are 200 kB packed."""
    bomb = packed(tmp_path / "bomb.gz", bytes(200 * MEBIBYTE))
    assert bomb.stat().st_size < MEBIBYTE
    tracemalloc.start()
    try:
        with open_packed(bomb) as file, pytest.raises(InputError) as caught:
            for _ in iter(lambda: file.read(MEBIBYTE), b""):
                pass
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 * MEBIBYTE
    assert str(caught.value) == (
        f"{bomb}: expected text that was packed, and it unpacks to more than 64 MiB, 100 times its size; "
        "if you trust it, unpack it first"
    )


def test_it_is_refused_where_it_is_skipped_over_too(tmp_path: Path) -> None:
    with open_packed(packed(tmp_path / "bomb.gz", bytes(100 * MEBIBYTE))) as file, pytest.raises(InputError):
        file.seek(99 * MEBIBYTE)


def test_what_shrinks_well_is_no_bomb(tmp_path: Path) -> None:
    """The same line a million times: 60 MiB, of which 1/1000 is left."""
    line = b"the same line again and again and again and once again, yes\n"
    with open_packed(packed(tmp_path / "a.gz", line * 1_000_000)) as file:
        assert sum(1 for _ in file) == 1_000_000
