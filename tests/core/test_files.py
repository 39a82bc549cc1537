from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rnnx.core.errors import RunError
from rnnx.core.files import make_folder, replacing, write_text


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_the_old_file_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    for content in ("1", "2", "3"):
        with replacing(tmp_path / "a", previous=tmp_path / "b") as file:
            file.write(content.encode())
    assert (tmp_path / "a").read_text() == "3"
    assert (tmp_path / "b").read_text() == "2"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    error = OverflowError()

    def write() -> None:
        with replacing(path, previous=tmp_path / "b") as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(OverflowError) as raised:
        write()
    assert raised.value is error
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_is_full_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RunError, match=r"a: could not be written: File too large; .* whole"):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no/a: could not be written: No such file or directory"):
        write_text(tmp_path / "no" / "a", "x")


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    program = (
        "import os, signal, sys; from pathlib import Path; from rnnx.core.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_text(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(RunError, match=r"b: the folder could not be made: File exists; .* take another name"):
        make_folder(tmp_path / "a" / "b", new=True)


def test_a_folder_in_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(RunError, match="b: the folder could not be made: Not a directory"):
        make_folder(tmp_path / "a" / "b")
