from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.paths import refuse_elsewhere, typed


def test_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert typed("~/data") == Path("/home/ada/data")
    assert typed("a/~/b") == Path("a/~/b")


def test_a_user_that_there_is_not_is_part_of_a_name() -> None:
    """As in a shell."""
    assert typed("~no-such-user/data") == Path("~no-such-user/data")


@pytest.mark.parametrize(
    "path",
    ["x" * 241, "ü" * 121, "a/" + "x" * 241, "a/" * 3000, "a\0b", "\ud800", "~a\0b", "~\ud800"],
    ids=lambda path: repr(path)[:9],
)
def test_what_no_file_can_be_called_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=r"no file can have such a name$"):
        typed(path)


@pytest.mark.parametrize("path", ["", ".", "..", "/", "x" * 240, "a/" * 1900, "\n", "\udcff", "C:\\x"])
def test_of_any_other_it_can_be_asked_whether_it_is_there(path: str) -> None:
    assert typed(path).exists() == Path(path).exists()


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "./", "..", "../esc", "a/../../esc", "a/..", "/", "/tmp/esc", "x" * 241, "a\0b", "\ud800"],
    ids=lambda name: repr(name)[:9],
)
def test_a_name_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"^name: expected that of a folder within the folder of runs, got "):
        refuse_elsewhere("name", name)


@pytest.mark.parametrize("name", [None, "it's small", "first/lstm", "a..b", "...", "./a", "~ada", "x" * 240])
def test_a_name_that_stays_in_its_folder_is_taken(name: str | None) -> None:
    refuse_elsewhere("name", name)
