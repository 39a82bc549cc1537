from __future__ import annotations

import json
import shlex
from math import isnan
from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.core.runs import (
    called,
    checkpoints,
    divide,
    find_model,
    find_run,
    find_runs,
    folder_of,
    names,
    read_result,
)
from tests.runs import NOT_ENDED


@pytest.fixture
def out(tmp_path):
    for name in ("b", "a"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "config.yaml").touch()
    (tmp_path / "out" / "no-run").mkdir()
    return tmp_path / "out"


def test_a_run_is_found_by_its_folder_and_by_its_name(out):
    assert find_run(out / "a") == out / "a"
    assert find_run("a", out) == out / "a"


def test_a_folder_without_a_configuration_is_no_run(out):
    assert names(out) == ["a", "b"]
    with pytest.raises(UsageError) as raised:
        find_run("no-run", out)
    assert str(raised.value) == "no run 'no-run': expected a run's folder or the name of one (a, b)"


def test_there_may_be_none(tmp_path):
    with pytest.raises(UsageError) as raised:
        find_run("a", tmp_path / "none")
    expected = f"no run 'a': expected a run's folder or the name of one (none yet in {tmp_path / 'none'})"
    assert str(raised.value) == expected


def test_a_folder_of_runs_is_all_of_them(out, monkeypatch):
    monkeypatch.chdir(out.parent)
    (out / "sweep" / "trial-0001-seed-1").mkdir(parents=True)
    (out / "sweep" / "trial-0001-seed-1" / "config.yaml").touch()
    trial = Path("out/sweep/trial-0001-seed-1")
    assert find_runs(["out"], "none") == [Path("out/a"), Path("out/b")]
    assert find_runs(["b", "sweep", "out/a"], "out") == [Path("out/b"), trial, Path("out/a")]
    assert find_runs([], "out") == [Path("out/a"), Path("out/b")]
    monkeypatch.chdir(out)
    assert find_runs(["sweep", "."], "none") == [Path("sweep/trial-0001-seed-1"), Path("a"), Path("b")]


def test_runs_are_called_as_a_user_would_type_them(out, monkeypatch):
    monkeypatch.chdir(out.parent)
    runs = {"a": "out/a", "out/b": "out/b"}
    assert called(["a", "out/b"], "out") == {name: Path(folder) for name, folder in runs.items()}
    assert called(["out/"]) == {"out/a": Path("out/a"), "out/b": Path("out/b")}
    (out / "sweep" / "a").mkdir(parents=True)
    (out / "sweep" / "a" / "config.yaml").touch()
    assert called(["a", "sweep"], "out") == {"a": Path("out/a"), "sweep/a": Path("out/sweep/a")}


def test_words_that_name_runs_are_told_from_the_others(out, monkeypatch):
    monkeypatch.chdir(out.parent)
    (out / "lr=1").mkdir()
    (out / "lr=1" / "config.yaml").touch()
    words = ["a", "beam_size=3", "out/b", "out/lr=1", "scores", "a=b", "no-run", f"x={'y' * 999}"]
    assert divide(words, "out") == (
        [Path("out/a"), Path("out/b"), Path("out/lr=1")],
        ["beam_size=3", "scores", "a=b", "no-run", f"x={'y' * 999}"],
    )
    assert divide([], "out") == ([], [])


def test_a_word_that_is_nearly_a_run_is_none(tmp_path):
    (tmp_path / "nmt-gru-1").mkdir()
    (tmp_path / "nmt-gru-1" / "config.yaml").touch()
    for word in ("nmt-gru-2", f"{tmp_path}/nmt-gru"):
        with pytest.raises(UsageError, match=f"^no run '{word}': expected .* the name of one .nmt-gru-1.$"):
            divide(["beam_size=3", word], tmp_path)


def test_a_run_comes_before_a_folder_of_runs(out, monkeypatch):
    """Here is a folder called as a run is."""
    monkeypatch.chdir(out.parent)
    (out.parent / "a" / "inner").mkdir(parents=True)
    (out.parent / "a" / "inner" / "config.yaml").touch()
    assert find_runs(["a"], "out") == [Path("out/a")]


def test_what_holds_no_runs_is_told(out):
    with pytest.raises(UsageError, match=r"^no run .no-run.: expected a run.s folder or the name of one"):
        find_runs(["no-run"], out)


WHOLE = {
    "test": {"loss": 1.5},
    "valid": {},
    "seconds": {"fit": 3},
    "throughput": {},
    "parameters": 7,
    "command": "rnnx run",
}


def test_a_result_is_read_as_it_was_written(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps(WHOLE))
    assert read_result(tmp_path) == WHOLE


def test_a_number_that_is_null_is_none(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps(WHOLE | {"test": {"loss": None, "bleu": 1}}))
    assert isnan(read_result(tmp_path)["test"].pop("loss"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"test": ', "not JSON: Expecting value: line 1 column 10 (char 9)"),
        (b"\xff", "not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"[" * 100_000, "not JSON: maximum recursion depth exceeded"),
        (b"[]", "expected an object with numbers by name under seconds, test, throughput, valid"),
        (json.dumps(WHOLE | {"valid": {"loss": "1"}}).encode(), "expected an object with numbers by name"),
        (json.dumps(WHOLE | {"test": [1]}).encode(), "expected an object with numbers by name"),
        (json.dumps(WHOLE | {"parameters": True}).encode(), "expected an integer under parameters"),
    ],
    ids=range(7),
)
def test_what_is_no_result_is_told(tmp_path, text, problem):
    (tmp_path / "result.json").write_bytes(text)
    with pytest.raises(InputError) as raised:
        read_result(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'result.json'}: {problem}")


@pytest.fixture
def kept(out, monkeypatch):
    """The run ``a`` with two checkpoints, in the folder of the runs' folder."""
    monkeypatch.chdir(out.parent)
    (out / "a" / "checkpoints").mkdir()
    for name in ("last.ckpt", "best.ckpt", "notes.txt"):
        (out / "a" / "checkpoints" / name).touch()
    return out / "a" / "checkpoints"


def test_a_checkpoint_is_found_by_its_path_from_here_and_from_the_folder_of_runs(kept, monkeypatch):
    last = Path("out/a/checkpoints/last.ckpt")
    assert checkpoints(Path("out/a")) == [last.with_name("best.ckpt"), last]
    assert find_model("out/a/checkpoints/last.ckpt", "none") == last
    assert find_model("a/checkpoints/last.ckpt", "out") == last
    assert find_model("a", "out") == Path("out/a")
    assert folder_of(last) == folder_of(Path("out/a")) == Path("out/a")
    assert divide(["a", "b", "n_best=2", "a/checkpoints/last.ckpt"], "out") == (
        [Path("out/a"), Path("out/b"), last],
        ["n_best=2"],
    )
    for where, typed in ((kept.parent, "checkpoints/last.ckpt"), (kept, "last.ckpt")):
        monkeypatch.chdir(where)
        assert folder_of(find_model(typed)).resolve() == kept.parent


def test_a_run_may_be_called_as_a_checkpoint_is(out, monkeypatch):
    monkeypatch.chdir(out.parent)
    run = Path("out/checkpoints/a.ckpt")
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    assert folder_of(find_model(run)) == run


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "a/checkpoints/lost.ckpt",
            "no checkpoint 'a/checkpoints/lost.ckpt': expected one of best.ckpt, last.ckpt, in "
            "out/a/checkpoints",
        ),
        ("c/last.ckpt", "no checkpoint 'c/last.ckpt': expected RUN/checkpoints/NAME.ckpt"),
        (
            "out/copy.ckpt",
            "out/copy.ckpt: expected a checkpoint in the folder of its run, RUN/checkpoints/NAME.ckpt, whose "
            "config.yaml says what it is of, and there is none; put it there",
        ),
        ("c", "no run 'c': expected a run's folder or the name of one (a, b)"),
    ],
)
def test_a_checkpoint_that_there_is_not_is_told(kept, typed, told):
    Path("out/copy.ckpt").touch()
    with pytest.raises(UsageError) as raised:
        find_model(typed, "out")
    assert str(raised.value) == told
    for words in [["a", typed]] if typed.endswith(".ckpt") else []:
        with pytest.raises(UsageError) as raised:
            divide(words, "out")
        assert str(raised.value) == told


@pytest.mark.parametrize("typed", [f"{'x' * 999}.ckpt", f"{'x' * 999}/checkpoints/x.ckpt", "x\0.ckpt"])
def test_what_no_file_can_be_called_is_no_checkpoint(kept, typed):
    with pytest.raises(UsageError, match=r"^no checkpoint .*: expected RUN/checkpoints/NAME.ckpt$"):
        find_model(typed, "out")


def test_a_checkpoint_is_no_run(kept):
    for find in (find_run, lambda word, out: find_runs([word], out)):
        with pytest.raises(UsageError) as raised:
            find("a/checkpoints/last.ckpt", "out")
        expected = "a/checkpoints/last.ckpt: expected a run, got a checkpoint of one; give the run: out/a"
        assert str(raised.value) == expected


def test_a_run_that_has_not_ended_has_no_result(tmp_path):
    with pytest.raises(UsageError) as raised:
        read_result(tmp_path / "it's")
    folder = str(tmp_path / "it's")
    assert str(raised.value) == f"{folder}: {NOT_ENDED} {shlex.quote(folder)}"
