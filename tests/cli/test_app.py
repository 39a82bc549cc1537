from __future__ import annotations

import os
import shlex
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from rnnx.cli.app import COMMANDS, app
from rnnx.core.errors import Interrupted

COMMAND = [sys.executable, "-m", "rnnx.cli"]
RUN = "it's small"
CELLS = ", ".join(sorted(entry_points(group="rnnx.cells").names))
TASKS = ", ".join(sorted(entry_points(group="rnnx.tasks").names))
SMALL_MEMORY = ("data.train=64", "data.valid=8", "data.test=8", "cell.hidden_size=4", "logger=csv")
HEAVY = {"torch", "lightning", "wandb", "matplotlib", "datasets", "scipy"}


def invoke(*words, stdin=b""):
    """The command in this process."""
    return CliRunner().invoke(app, words, input=stdin, prog_name="rnnx")


def test_the_console_script_is_the_command():
    (script,) = distribution("rnnx").entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("rnnx", "rnnx.cli.app:main")


def test_what_was_typed_wrong_is_told_all_at_once(rnnx):
    words = "cell=gruu task=nmt net.layers=two data=toy data.trian=3 net.skip=resid trainer.max_epoch=2 sed=1"
    done = rnnx("run", *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(done.stderr.splitlines()) == [
        f"rnnx: cell: no such cell 'gruu'; did you mean 'gru'? (cells: {CELLS})",
        "rnnx: data.trian: no such option of data 'toy'; did you mean 'train'?",
        "rnnx: net.layers: expected an integer of at least 1, got 'two'",
        "rnnx: net.skip: 'resid' is not one of none, residual, dense, highway; did you mean 'residual'?",
        "rnnx: no such key 'sed'; did you mean 'seed'?",
        "rnnx: trainer.max_epoch: no such option of trainer; did you mean 'max_epochs'?",
    ]
    assert not list(rnnx.folder.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run task=nmtt", f"task: no such task 'nmtt'; did you mean 'nmt'? (tasks: {TASKS})"),
        (
            "run data=tpy",
            "data: no such data 'tpy' of task 'nmt'; did you mean 'toy'? (data: files, hub, toy)",
        ),
        (
            "run cell.hiden_size=3",
            "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?",
        ),
        (
            "run cell.reset=befor",
            "cell.reset: 'befor' is not one of before, after; did you mean 'before'?",
        ),
        ("run a.yaml", "'a.yaml': expected KEY=VALUE or the path of a YAML file, and there is no such file"),
        ("test nothing", "no run 'nothing': expected a run's folder or the name of one (none yet in runs)"),
        (
            "predict nothing --out old",
            "no run 'nothing': expected a run's folder or the name of one (none yet in old)",
        ),
        (
            "show cell lstn",
            f"cell: no such cell 'lstn'; did you mean 'lstm'? (cells: {CELLS})",
        ),
    ],
)
def test_what_does_not_exist(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = invoke(*words.split())
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"rnnx: {message}\n")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("train task=lm", "run"), ("translate", "predict"), ("eval x", "test"), ("lis", "list")],
)
def test_a_command_of_another_program_is_told_with_ours(theirs, ours):
    done = invoke(*theirs.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"No such command {theirs.split()[0]!r}. Did you mean {ours!r}?" in done.stderr


@pytest.mark.parametrize("words", ["", "run", "list"])
def test_help_has_a_short_name(words):
    assert invoke(*words.split(), "-h").stdout == invoke(*words.split(), "--help").stdout != ""


def test_exit_codes_are_documented():
    shown = " ".join(invoke("--help").stdout.split())
    for code in ("0 done", "1 failed", "2 asked for wrongly", "130 and 143 stopped"):
        assert code in shown


NO_DOCUMENT = {"predict", "report", "compare", "new", "dashboard", "average", "export", "push", "play"}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NO_DOCUMENT))
def test_a_command_that_tells_something_tells_it_to_programs(name):
    assert "--json" in invoke(name, "--help").stdout


@pytest.mark.parametrize("words", [["--nothing"], ["nothing"], ["run", "--nothing"], ["test"]])
def test_the_usage_of_a_command_is_told_with_exit_code_2(words):
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: rnnx" in done.stderr


def test_an_unforeseen_error_is_one_sentence_and_a_traceback_on_request(monkeypatch):
    def broken(run, out):
        raise ZeroDivisionError(f"not with {run}")

    monkeypatch.setattr("rnnx.cli.commands.measure.find_model", broken)
    done = invoke("test", "mine")
    assert (done.exit_code, done.stdout) == (1, "")
    expected = "rnnx: internal error: ZeroDivisionError: not with mine (use --debug for the traceback)\n"
    assert done.stderr == expected
    for debugging in (("--debug", "test", "mine"), ("test", "mine", "--debug")):
        done = invoke(*debugging)
        assert done.exit_code == 1
        assert done.stderr.startswith("Traceback (most recent call last):\n")


def noted(error):
    error.add_note("the same command goes on")
    return error


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "rnnx: stopped by SIGINT\n"),
        (noted(KeyboardInterrupt()), 130, "rnnx: stopped by SIGINT; the same command goes on\n"),
        (noted(Interrupted(15)), 143, "rnnx: stopped by SIGTERM; the same command goes on\n"),
        (MemoryError(), 1, "rnnx: out of memory: MemoryError; make the model or its batches smaller "),
        (
            RuntimeError("[x] DefaultCPUAllocator: can't allocate memory: you tried 7 bytes\nmore"),
            1,
            "rnnx: out of memory: [x] DefaultCPUAllocator: can't allocate memory: you tried 7 bytes; make ",
        ),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA."), 1, "rnnx: out of memory: CUDA.; make "),
    ],
)
def test_what_stops_any_command_is_a_sentence(monkeypatch, error, code, told):
    def stopped(run, out):
        raise error

    monkeypatch.setattr("rnnx.cli.commands.measure.find_model", stopped)
    done = invoke("test", "mine")
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_disk_that_is_full_is_a_sentence(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "list", "cells"], stdout=full, stderr=subprocess.PIPE, env=environment, check=False
        )
    expected = "rnnx: where it writes to: No space left on device; make room, or write elsewhere\n"
    assert (done.returncode, done.stderr.decode()) == (1, expected)


def test_standard_streams_that_are_closed_give_nothing_and_take_anything(trained):
    command, _ = trained
    predict = shlex.join([*COMMAND, "predict", RUN])
    for closed in (f"{predict} <&-", f"echo una casa | {predict} >&-"):
        done = subprocess.run(["sh", "-c", closed], cwd=command.folder, capture_output=True, check=False)
        assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


def test_a_training_goes_on_where_nobody_reads_what_it_says(rnnx):
    """A warning and a line after each epoch go into a pipe that is closed, as after ``2>&1 | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    words = ["task=memory", *SMALL_MEMORY, "net.dropout=0.1", "trainer.max_epochs=3", "name=unread"]
    done = subprocess.run(
        [*COMMAND, "run", *words], cwd=rnnx.folder, stdout=subprocess.DEVNULL, stderr=writing, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    assert (rnnx.folder / "runs" / "unread" / "result.json").is_file()


def test_what_data_leave_out_is_a_sentence(rnnx):
    (rnnx.folder / "train.tsv").write_text("a b c\tx\na\ty\n" * 9)
    files = [f"data.{split}=train.tsv" for split in ("train", "valid", "test")]
    done = rnnx(
        "run", "--dry-run", "data=files", *files, "data.source=de", "data.target=en", "data.max_length=2"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("rnnx: left out 9 of 18 training pairs: 0 with an empty side, 9 with more ")


def test_what_torch_says_without_memory_is_known():
    """The sentence that is looked for is torch's."""
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator: can't allocate memory"):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="Storage size calculation overflowed"):
        torch.empty(1 << 62, 8)


def test_more_than_any_machine_has_is_too_little_memory(rnnx):
    refused = rnnx("run", "--dry-run", "cell.hidden_size=1e30")
    assert refused.returncode == 1
    assert refused.stderr.startswith("rnnx: out of memory: empty(): argument 'size' failed to unpack")
    assert refused.stderr.count("\n") == 1


def test_a_warning_for_the_user_is_a_sentence_and_anothers_is_as_python_shows_it():
    program = (
        "import warnings; warnings.warn('of a library', stacklevel=2); from rnnx.cli.app import main; main()"
    )
    words = ["run", "--dry-run", "cell=elman", "task=memory", "net.dropout=0.3"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    others, told = done.stderr.splitlines()
    assert others.endswith("UserWarning: of a library")
    assert told.startswith("rnnx: net.dropout: 0.3 drops nothing, as it is between layers and there is one; ")


@pytest.mark.parametrize("words", ["--help", "list", "show cell gru", "run --help", "run cell=gruu"])
def test_an_answer_that_needs_no_model_imports_no_torch(words):
    program = (
        "import sys; from rnnx.cli.app import app\n"
        f"try: app({words.split()})\n"
        f"finally: print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.endswith("[]\n")
