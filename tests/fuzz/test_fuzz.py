"""A few wrong inputs for every reader; ``make fuzz`` gives each of them ten thousand."""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from rnnx.core.errors import InputError
from tests.fuzz.campaign import campaign, made
from tests.fuzz.mutations import CHANGES, Change
from tests.fuzz.readers import READERS, Act
from tests.fuzz.watch import Hang, Touched, outcome

FEW = range(12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_says_in_a_sentence_why_not(name: str) -> None:
    found = campaign(name, FEW)
    assert not found.bugs, {number: repr(error) for number, error in found.bugs.items()}
    assert found.outcomes["success"] >= 1
    assert found.outcomes.total() == len(FEW)


@pytest.mark.parametrize("name", READERS)
def test_an_input_is_made_again_from_its_number(name: str) -> None:
    assert made(name, 7) == made(name, 7)
    assert len({str(sorted(made(name, number).items())) for number in range(20)}) > 10


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_changes_something(change: Change) -> None:
    content = b"one two\nthree four\nfive six\n"
    assert any(change(content, Random(number)) != content for number in range(9))
    change(b"", Random(1))


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda folder: (folder / "new").write_text("x"), "to write"),
        (lambda folder: (folder / "file").unlink(), "os.remove"),
        (lambda folder: (folder / "file").rename(folder / "other"), "os.rename"),
        (lambda folder: (folder / "new").mkdir(), "os.mkdir"),
        (lambda folder: os.system("true"), "os.system"),
        (lambda folder: ctypes.CDLL(None), "ctypes.dlopen"),
        (lambda folder: Path("/etc/passwd").read_text(), "'/etc/passwd' to read"),
        (lambda folder: (folder.parent / "beside").read_text(), "to read"),
    ],
    ids=range(8),
)
def test_what_no_reader_may_do_is_seen(tmp_path: Path, act: Act, told: str) -> None:
    folder = tmp_path / "place" / "input"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    (folder.parent / "beside").write_text("x")
    with pytest.raises(Touched, match=re.escape(told)):
        outcome(act, folder, anywhere=False)


def test_what_is_done_behind_the_interpreter_s_back_is_seen_in_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "place" / "input"
    folder.mkdir(parents=True)
    with (folder.parent / "open").open("w") as file, pytest.raises(Touched, match="another one than before"):
        outcome(lambda folder: (file.write("x"), file.flush()), folder, anywhere=False)


def test_torch_may_ask_the_driver_for_gpus(tmp_path: Path) -> None:
    def ask(folder: Path) -> None:
        with suppress(OSError):  # there is none
            ctypes.CDLL("libnvidia-ml.so.1")

    assert outcome(ask, tmp_path, anywhere=False) == "success"


def test_a_hang_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def turn(folder: Path) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.watch.LONGEST", 0.1)
    with pytest.raises(Hang):
        outcome(turn, tmp_path, anywhere=False)


def test_a_sentence_is_an_outcome_and_any_other_error_a_bug(tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        raise InputError(folder, "expected something else")

    assert outcome(refuse, tmp_path, anywhere=False) == "InputError"
    with pytest.raises(ZeroDivisionError):
        outcome(lambda folder: 1 / 0, tmp_path, anywhere=False)
