from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from rnnx.cli.commands.sweep import line, markdown, plain
from rnnx.core.sweeps.sweep import Outcome, Sweep
from rnnx.core.yaml import yaml

if TYPE_CHECKING:
    from conftest import CommandLine

SMALL = (
    "task=memory",
    "logger=none",
    "cell.hidden_size=8",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
)
GRID = ("cell=gru,clockwork", "cell.hidden_size=3,8", "seed=1,2", "--sampler", "grid", "--name", "mine")


def outcome(number: int, state: Any, *scores: float, failure: str = "") -> Outcome:
    folder = Path(f"runs/s/trial-{number:04}-seed-1")
    return Outcome(number, state, {"cell": "gru"}, scores, (folder,), ("cell=gru", "name=it's"), failure)


def test_a_sweep_is_a_table_and_the_command_of_the_best(rnnx: CommandLine, quick: CommandLine) -> None:
    done = rnnx("sweep", *SMALL, *GRID)
    assert done.returncode == 0, done.stderr
    head, *rows, _, counted, best = done.stdout.splitlines()
    assert head.split() == ["trial", "state", "valid", "loss", "cell", "cell.hidden_size", "folder"]
    assert [row.split()[1] for row in rows] == ["complete"] * 3 + ["failed"]
    assert "multiple of 8" in rows[3]
    assert counted == "4 trials: 3 complete, 1 failed"
    means = [float(row.split()[2]) for row in rows[:3]]
    assert means == sorted(means)
    assert [row.split()[3] for row in rows[:3]] == ["±"] * 3
    told = done.stderr.splitlines()
    assert [text.split(":")[0] for text in told] == [f"{number} of 4" for number in range(1, 5)]

    again = shlex.split(best.removeprefix("best: "))
    assert again[:2] == ["rnnx", "run"]
    config = yaml().load(quick(*again[1:], "--dry-run").stdout)
    folder = rnnx.folder / rows[0].split()[-1]
    ran = yaml().load((folder / "config.yaml").read_text())
    assert {**config, "name": None, "out": None} == {**ran, "name": None, "out": None}

    found = json.loads(quick("sweep", *SMALL, *GRID, "--json").stdout)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3 + ["failed"]
    assert found["best"] == best.removeprefix("best: ")
    result = json.loads((folder / "result.json").read_text())
    assert found["trials"][0]["scores"][0] == result["valid"]["loss"]
    table = quick("sweep", *SMALL, *GRID, "--markdown").stdout.splitlines()
    assert len(table) == 6
    assert table[1] == "| --- | --- | --- | --- | --- | --- |"


def test_what_is_wrong_is_said_before_anything_runs(quick: CommandLine) -> None:
    done = quick("sweep", "task=lm", "cell=gru,grru", "net.layers=int:3..1", "--launcher", "slum")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("rnnx: launcher: no such launcher 'slum'; did you mean 'slurm'?")
    assert second.startswith("rnnx: net.layers: expected int:LOWEST..HIGHEST")
    assert not list(quick.folder.iterdir())


def test_a_sweep_without_a_complete_trial_fails(quick: CommandLine) -> None:
    done = quick("sweep", *SMALL, "cell=clockwork", "cell.hidden_size=3,4", "--trials", "1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 trials: 1 failed")


def test_lines_of_trials() -> None:
    sweep = Sweep.parse(["task=memory", "cell=gru,lstm"])
    assert line(sweep, outcome(3, "complete", 1.0, 2.0)) == (
        "trial 3 (cell=gru) complete, valid loss 1.500 ± 0.707"
    )
    assert line(sweep, outcome(4, "pruned", 1.0)) == "trial 4 (cell=gru) pruned, valid loss 1.000"
    assert line(sweep, outcome(5, "failed", failure="no memory")) == "trial 5 (cell=gru) failed: no memory"


def test_the_best_ten_are_shown_and_all_are_told() -> None:
    sweep = Sweep.parse(["task=memory", "cell=gru,lstm"])
    found = [outcome(number, "complete", 20.0 - number) for number in range(12)]
    rows = markdown(sweep, found).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [str(number) for number in range(11, 1, -1)]
    assert rows[0] == "| 11 | complete | 9.000 | gru | runs/s/trial-0011-seed-1 |"
    told = plain(sweep, found)
    assert [trial["number"] for trial in told["trials"]] == list(range(11, -1, -1))
    assert told["best"] == """rnnx run cell=gru 'name=it'"'"'s'"""
    assert plain(sweep, [outcome(0, "pruned", 1.0)])["best"] is None


def test_the_words_that_an_agent_of_weights_and_biases_makes(quick: CommandLine) -> None:
    """``wandb agent`` replaces the macros of the command, as its method ``_command_run`` does."""
    command = ["rnnx", "run", "task=lm", "${args_no_hyphens}"]
    values = {"cell": "lstm", "optimizer.lr": 3.2e-05, "net.layers": 2, "net.skip": "residual"}
    values |= {"net.dropout": 0, "task.tied": False}
    made = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    words = [
        word
        for part in create_sweep_command(command)
        for word in (made[part[2:-1]] if part.startswith("${") else [part])
    ]
    done = quick(*words[1:], "--dry-run")
    assert done.returncode == 0, done.stderr
    config = yaml().load(done.stdout)
    chosen = {key: config[key.split(".")[0]][key.split(".")[1]] for key in values if "." in key}
    assert (config["cell"]["name"], chosen) == ("lstm", {key: values[key] for key in chosen})
