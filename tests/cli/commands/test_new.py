"""What ``rnnx new`` writes is installed into an environment of its own, and then used as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.fresh import Environment

TASKS = ("captioning", "lm", "memory", "ner", "nmt", "sentiment", "video")
SHORT = {"run": "trainer.max_epochs=1", "bench": "--settings a --lengths equal --seconds 1"}
SMALL = "cell.hidden_size=16 data.train=64 data.valid=8 data.test=8 trainer.max_epochs=1 logger=csv"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment of its own."""
    return Environment(tmp_path / "environment")


def commands(said: str) -> list[str]:
    """Those that are to be typed next."""
    _, after = said.split("next:\n")
    return [re.split(" {2,}", line)[0] for line in after.splitlines()]


def test_a_new_cell_is_installed_and_trained(tmp_path: Path, environment: Environment) -> None:
    made = environment(tmp_path, "rnnx new cell mycell")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("mycell/mycell.py ")
    assert commands(made.stdout) == [
        "pip install -e mycell",
        "rnnx check mycell",
        "rnnx run cell=mycell task=nmt",
        "rnnx bench mycell",
        "pytest mycell",
    ]
    done = environment(
        tmp_path,
        "pip install -qq --no-deps -e mycell && "
        f"rnnx run cell=mycell task=nmt task.embedding_size=16 {SMALL} && "
        "pytest -q -k padding mycell && rnnx new cell mycell",
    )
    assert "1 passed" in done.stdout, done.stderr
    result = json.loads((tmp_path / "runs" / "nmt-mycell" / "result.json").read_text())
    assert "bleu" in result["test"]
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "rnnx: cell 'mycell' is there already, of distribution 'mycell' 0.1.0; take another name"
    )


def test_a_folder_of_ones_own(tmp_path: Path, environment: Environment) -> None:
    done = environment(tmp_path, "rnnx new data nmt.my-texts --path 'some where/else'")
    assert (done.returncode, done.stderr) == (0, "")
    assert commands(done.stdout)[:3] == [
        "pip install -e 'some where/else'",
        "rnnx check nmt.my-texts",
        "rnnx run task=nmt data=my-texts",
    ]
    assert (tmp_path / "some where" / "else" / "nmt_my_texts" / "data.py").is_file()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("cell Mine", "expected a name of small letters, digits and hyphens, such as my-cell"),
        ("data mine", "expected TASK.NAME, such as nmt.mine, got 'mine'"),
        ("cell gru", "cell 'gru' is there already"),
        ("sell mine", "'sell' is not one of 'cell', 'task', 'data'"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    tmp_path: Path, environment: Environment, words: str, problem: str
) -> None:
    done = environment(tmp_path, f"rnnx new {words}")
    assert done.returncode == 2
    assert problem in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["environment"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [("cell", "my-cell"), ("task", "my-task"), *(("data", f"{task}.mine") for task in TASKS)],
)
def test_every_command_it_tells_works(tmp_path: Path, environment: Environment, kind: str, name: str) -> None:
    made = environment(tmp_path, f"rnnx new {kind} {name}")
    told = commands(made.stdout)
    assert len(told) >= 4
    for command in told:
        program, verb, *_ = command.split()
        done = environment(tmp_path, f"{command} {SHORT.get(verb, '') if program == 'rnnx' else ''}")
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "step by step" not in done.stderr
