from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from rnnx.cli.app import app

RUN = "it's small"


def invoke(*words, stdin=b""):
    """The command in this process."""
    return CliRunner().invoke(app, words, input=stdin, prog_name="rnnx")


def test_test_measures_what_the_run_measured(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    result = json.loads(Path("runs", RUN, "result.json").read_text())
    assert json.loads(invoke("test", RUN, "--json").stdout) == pytest.approx(result["test"])
    rows = [line.split() for line in invoke("test", RUN).stdout.splitlines()]
    assert ["loss", f"{result['test']['loss']:.3f}"] in rows


def test_test_measures_several_runs_together(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    result = json.loads(Path("runs", RUN, "result.json").read_text())
    found = json.loads(invoke("test", RUN, f"runs/{RUN}", "--json").stdout)
    assert found == pytest.approx(result["test"], rel=1e-6)
    greedy = json.loads(invoke("test", RUN, RUN, "task.beam_size=1", "task.max_length=1", "--json").stdout)
    assert greedy["loss"] == pytest.approx(found["loss"])
    assert greedy["chrf"] != found["chrf"]


def test_test_says_of_a_word_that_is_neither_that_there_is_no_run_of_that_name(trained, monkeypatch):
    monkeypatch.chdir(trained[0].folder)
    done = invoke("test", RUN, "gone", "task.beam_size=1", "lost")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "".join(
        f"rnnx: '{word}': expected SECTION.OPTION=VALUE, or another run, and runs has none of that name\n"
        for word in ("gone", "lost")
    )


@pytest.fixture
def checkpoint(trained, tmp_path, monkeypatch):
    """The best checkpoint of a copy of the run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained[0].folder / "runs" / RUN, tmp_path / "copy")
    return tmp_path / "copy" / "checkpoints" / "best.ckpt"


def refused(reason):
    """The copy cannot be used for this reason."""
    for command in ("test", "predict"):
        done = invoke(command, "copy")
        assert (done.exit_code, done.stdout) == (1, "")
        path = "copy/checkpoints/best.ckpt"
        assert (
            done.stderr
            == f"rnnx: {path}: expected a checkpoint, but {reason}; use another one, or train again\n"
        )


def test_another_checkpoint_is_measured_and_answers(checkpoint):
    """With the best model's file gone there is only the other to be read."""
    best, another = (json.loads(invoke("test", "copy", "--json").stdout), "copy/checkpoints/other.ckpt")
    checkpoint.rename(another)
    done = invoke("test", another, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, best)
    done = invoke("test", another, another, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, pytest.approx(best, rel=1e-6))
    done = invoke("predict", another, another, "n_best=2", stdin=b"la casa\n")
    assert (done.exit_code, done.stderr, done.stdout.count("\n")) == (0, "", 2)
    done = invoke("play", another, "--terminal", stdin=b"la casa\n")
    assert (done.exit_code, done.stderr) == (0, "")
    done = invoke("export", another, "translator")
    assert (done.exit_code, done.stdout) == (0, "translator: rnnx predict translator\n")
    assert json.loads(invoke("test", "translator", "--json").stdout) == pytest.approx(best)


def test_a_checkpoint_that_is_cut_off_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    refused("it is cut off or no checkpoint")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused_and_not_run(checkpoint, tmp_path, legacy):
    harm = tmp_path / "harm"
    bomb = {"state_dict": {}, "hyper_parameters": Bomb(harm)}
    if legacy:
        checkpoint.write_bytes(pickle.dumps(bomb))
        refused("it is cut off or no checkpoint")
    else:
        torch.save(bomb, checkpoint)
        refused("it holds something other than tensors and plain data")
    assert not harm.exists()


def test_a_checkpoint_of_something_else_is_refused(checkpoint):
    torch.save({"weights": torch.zeros(3)}, checkpoint)
    done = invoke("test", "copy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "rnnx: copy/checkpoints/best.ckpt: expected a checkpoint of rnnx's, but it holds no model; "
        "use a file that rnnx wrote\n"
    )
