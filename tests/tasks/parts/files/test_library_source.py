"""The text that every machine with Python has: what is in it, in which order, and what is not."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from rnnx.core.errors import RunError
from rnnx.tasks.parts.files.library_source import library_source


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that this Python takes for the one of its library's sources."""
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    return tmp_path


def test_this_python_has_a_million_characters_of_its_own_source() -> None:
    text = library_source(1_000_000)
    assert len(text) == 1_000_000
    assert text.isascii()
    assert len(set(text)) < 100
    assert (Path(sysconfig.get_paths()["stdlib"]) / "argparse.py").read_text(encoding="utf-8") in text


def test_a_shorter_text_is_the_beginning_of_a_longer_one() -> None:
    assert library_source(1234) == library_source(50_000)[:1234]


def test_modules_come_in_the_order_of_their_names(library: Path) -> None:
    for name in ("csv", "abc", "bisect", "ast"):
        (library / f"{name}.py").write_text(f"{name} = 1\n")
    assert library_source(1000) == "abc = 1\nast = 1\nbisect = 1\ncsv = 1\n"
    assert library_source(10) == "abc = 1\nas"


def test_what_is_left_out(library: Path) -> None:
    (library / "bisect.py").write_text("kept = True\n")
    (library / "heapq.py").write_text("author = 'François'\n", encoding="utf-8")
    (library / "sitecustomize.py").write_text("installed_beside_the_library = True\n")
    (library / "stringprep.py").write_text("generated = {}\n")
    for folder in ("json", "test", "site-packages"):
        (library / folder).mkdir()
        (library / folder / "abc.py").write_text("in_a_package = True\n")
    assert library_source(1000) == "kept = True\n"


def test_line_ends_are_the_same_on_every_system(library: Path) -> None:
    (library / "abc.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    assert library_source(1000) == "a = 1\nb = 2\n"


@pytest.mark.parametrize("folder", ["", "python311.zip"])
def test_a_python_without_sources_is_told_to_read_files(
    folder: str, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(library / folder)})
    (library / "abc.pyc").write_bytes(b"\0")
    with pytest.raises(RunError, match=r"data=files data\.text=FILE") as caught:
        library_source(1000)
    assert str(library / folder) in str(caught.value)
