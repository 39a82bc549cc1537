from __future__ import annotations

import ctypes
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnnx.core.unrolling.kernels.c.compiler import CompilerError, NoCompilerWarning, compiled, compiler

TEXT = "void kernel(int *given) { given[0] += given[1]; }"


def test_a_text_is_a_function() -> None:
    numbers = (ctypes.c_int * 2)(40, 2)
    compiled(TEXT)(numbers)
    assert list(numbers) == [42, 2]


def test_the_same_text_is_the_same_function_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = TEXT.replace("+=", "-=")
    assert compiled(text) is compiled(text)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_c_is_refused_with_the_compilers_words() -> None:
    with pytest.raises(CompilerError, match=r"ends with 1: .*kernel\.c.*error"):
        compiled("void kernel( {")


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(CompilerError, match="missing"):
        compiled(TEXT.replace("+=", "*="))


Named = Callable[[str | None], tuple[str, ...] | None]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Iterator[Named]:
    """What is found where the variable ``CC`` is so, or is not there."""

    def find(cc: str | None) -> tuple[str, ...] | None:
        monkeypatch.delenv("CC", raising=False)
        if cc is not None:
            monkeypatch.setenv("CC", cc)
        compiler.cache_clear()
        return compiler()

    yield find
    compiler.cache_clear()


def test_the_variable_names_the_compiler(tmp_path: Path, named: Named) -> None:
    own = tmp_path / "own-cc"
    own.write_text("#!/bin/sh\n", "utf-8")
    own.chmod(0o755)
    assert named(str(own)) == (str(own),)
    assert named(f"'{own}' -m64  gcc") == (str(own), "-m64", "gcc")
    assert named(None) == (shutil.which("cc"),)
    assert named("") is None
    assert named(" ") is None


def test_a_variable_that_names_no_program_is_told(tmp_path: Path, named: Named) -> None:
    missing = tmp_path / "missing"
    told = f"CC={missing} is no program, so cells run without functions in C, which is slower; set it to a C "
    with pytest.warns(NoCompilerWarning, match=f"^{re.escape(told)}compiler, or to nothing$"):
        assert named(str(missing)) is None


def test_a_compiler_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "slow-cc"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", "utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr("rnnx.core.unrolling.kernels.c.compiler.PATIENCE", 0.2)
    monkeypatch.setattr("rnnx.core.unrolling.kernels.c.compiler.compiler", lambda: (str(slow),))
    with pytest.raises(CompilerError, match=r"slow-cc does not end within 0\.2 seconds"):
        compiled(TEXT.replace("+=", "|="))
