from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.captioning.coco import Coco
from rnnx.tasks.data.captioning.features import Features
from rnnx.tasks.data.lm.files import Files as RunningText
from rnnx.tasks.data.ner.files import Files as Columns
from rnnx.tasks.data.nmt.files import Files as Parallel
from rnnx.tasks.data.sentiment.files import Files as Texts
from rnnx.tasks.data.sentiment.trees import Trees
from rnnx.tasks.parts.files.given import refuse_unreadable


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for ending in ("", ".en", ".es", ".tsv"):
        (tmp_path / f"folder{ending}").mkdir()
        (tmp_path / f"empty{ending}").write_text("")
        (tmp_path / f"full{ending}").write_text("so\tgood\n")
        (tmp_path / f"link{ending}").symlink_to("gone")
    return tmp_path


def test_each_problem_is_told_by_its_option(desk: Path) -> None:
    files = ["folder", "empty", "link", "ful", "a/b", "full", None]
    with pytest.raises(UsageError) as told:
        refuse_unreadable(zip("abcdefg", files, strict=True))
    assert told.value.problems == (
        "data.a: expected a file, and 'folder' is a folder",
        "data.b: the file 'empty' is empty",
        "data.c: there is no file 'link'; it is a link to 'gone', which is not there",
        "data.d: there is no file 'ful'; did you mean 'full' or 'full.es' or 'full.en'?",
        "data.e: there is no file 'a/b'; there is no folder 'a' either; check the path",
    )


def told_to_anybody(path: str) -> str:
    """What a user who is not the superuser is told of a file; a process of its own is that user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            refuse_unreadable([("x", path)])
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def test_a_file_or_a_folder_that_is_closed(desk: Path) -> None:
    desk.chmod(0o755)
    assert told_to_anybody("full") == ""
    (desk / "full").chmod(0)
    (desk / "folder").chmod(0)
    wanted = "UsageError: data.x: the file 'full' may not be read; see to its permissions"
    assert told_to_anybody("full") == wanted
    wanted = (
        "UsageError: data.x: 'folder/any' lies in a folder that may not be entered; see to its permissions"
    )
    assert told_to_anybody("folder/any") == wanted
    (desk / "folder").chmod(0o755)


def test_what_is_no_plain_file_is_left_to_be_read(desk: Path) -> None:
    os.mkfifo(desk / "pipe")
    refuse_unreadable([("x", "pipe"), ("y", "/dev/null"), ("z", "full")])


WRONG = ("missing", "empty", "link", "folder")
SPLITS = ("train", "valid", "test")
SOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "nmt": (lambda **given: Parallel(source="en", target="es", **given).pairs(), ""),
    "lm": (lambda **given: RunningText(**given).texts(), ""),
    "ner": (lambda **given: Columns(**given).sentences(), ""),
    "sentiment": (lambda **given: Texts(**given).texts(), ".tsv"),
    "trees": (lambda **given: Trees(**given).corpus(), ""),
    "captions": (lambda **given: Features(captions="full", features=".", **given).captioned(), ""),
    "coco": (
        lambda **given: Coco(**given, **{f"{split}_images": "." for split in SPLITS}).captioned(),
        "",
    ),
}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [pair for pair in product(SOURCES, WRONG) if pair != ("sentiment", "folder")],  # which it may read too
)
@pytest.mark.parametrize("split", SPLITS)
def test_each_source_names_the_option_beside_the_file(
    source: str, split: str, wrong: str, desk: Path
) -> None:
    read, ending = SOURCES[source]
    given = {name: f"{wrong if name == split else 'full'}{ending}" for name in SPLITS}
    with pytest.raises(UsageError) as told:
        read(**given)
    assert told.value.problems
    assert all(re.match(rf"data\.{split}: .*'{wrong}", problem) for problem in told.value.problems)


@pytest.mark.parametrize("wrong", WRONG)
def test_so_do_files_beside_the_splits(wrong: str, desk: Path) -> None:
    with pytest.raises(UsageError, match=rf"^data\.text: .*'{wrong}'"):
        RunningText(text=wrong).texts()
    with pytest.raises(UsageError, match=rf"^data\.captions: .*'{wrong}'"):
        Features(captions=wrong, features=".", train="full", valid="full", test="full").captioned()
