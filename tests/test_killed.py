"""Runs that are killed (SIGKILL) again and again, and resumed, end bit for bit as those that never were."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnx.core.registry import plugins

PROGRAM = """
import csv, gc, json, os, random, signal, sys, time
from pathlib import Path
import lightning, matplotlib.figure, torchmetrics, wandb  # once, before there are many processes
from rnnx.core.experiment import Experiment

gc.freeze()  # so that none of them goes through it, and copies its memory

class Start(lightning.Callback):
    def __init__(self, path):
        self.path = path

    def on_train_start(self, trainer, pl_module):
        self.path.write_text(str(trainer.global_step))

def process(work):
    identity = os.fork()
    if identity == 0:
        work()
        os._exit(0)
    return identity

def code(identity):
    return os.waitstatus_to_exitcode(os.waitpid(identity, 0)[1])

def is_running(identity):
    return os.waitid(os.P_PID, identity, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

def rows(folder):
    try:
        return (folder / "metrics.csv").read_bytes().count(b"\\n")
    except OSError:
        return 0

def steps(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        known = [int(row["step"]) + 1 for row in csv.DictReader(file) if row.get("train/loss")]
        return max(known, default=0)

def kill(out, words, kills):
    moments, whole, cut = random.Random(kills), out / "whole", out / "cut"
    assert code(process(lambda: Experiment.from_words(*words, f"out={out}", "name=whole").run())) == 0
    stages = sorted(moments.randrange(2, rows(whole)) for _ in range(kills))
    running = process(lambda: Experiment.from_words(*words, f"out={out}", "name=cut").run())
    killed = []
    for stage in stages:
        while rows(cut) < stage and is_running(running):
            time.sleep(0.001)
        time.sleep(moments.choice([0, 0.002, 0.02]) * moments.random())
        os.kill(running, signal.SIGKILL)
        if (ended := code(running)) != -signal.SIGKILL:
            assert ended == 0
            break
        killed.append(steps(cut))
        start = Start(out / f"start {len(killed)}")
        running = process(lambda: Experiment.resume(cut, callbacks=[start]))
    else:
        assert code(running) == 0
    starts = [out / f"start {number}" for number in range(1, len(killed) + 1)]
    resumed = [int(path.read_text()) if path.exists() else None for path in starts]
    return {"killed": killed, "resumed": resumed}

print(json.dumps([kill(Path(out), words, kills) for out, words, kills in json.loads(sys.argv[1])]))
"""
SMALL = (
    "cell.hidden_size=8",
    "net.layers=2",
    "net.dropout=0.2",
    "optimizer.lr=1e-2",
    "trainer.max_epochs=3",
    "trainer.limit_train_batches=7",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=2",
    "trainer.val_check_interval=3",
    "trainer.log_every_n_steps=1",
    "checkpoint.every_n_train_steps=2",
    "checkpoint.save_top_k=2",
    "logger=csv",
)
PLATEAU = ("schedule=plateau", "schedule.patience=0")
GENERATED = ("data.train=64", "data.valid=8", "data.test=8", "data.batch_size=8")
FOUND = ("data.characters=20_000", "data.bptt=20", "data.batch_size=8")


def data_of(task: str) -> tuple[str, ...]:
    return FOUND if task == "lm" else GENERATED


def killed(*runs: tuple[Path, tuple[str, ...], int]) -> list[dict[str, list[int]]]:
    """The steps that were done at each kill, and those after which the run went on.

    Args:
        *runs: A folder, in which the runs ``whole`` and ``cut`` will be; the words; how often it is killed.
    """
    plan = json.dumps([(str(folder), words, kills) for folder, words, kills in runs])
    done = subprocess.run([sys.executable, "-c", PROGRAM, plan], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def outcome(folder: Path) -> tuple[list[dict[str, str]], Any, dict[str, torch.Tensor]]:
    """Its history without the speed, its scores, and the parameters of its models, but the last but one."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [
            {name: value for name, value in row.items() if name != "tokens_per_second"}
            for row in csv.DictReader(file)
        ]
    result = json.loads((folder / "result.json").read_text())
    parameters = {
        f"{path.stem} {key}": value
        for path in (folder / "checkpoints").glob("*.ckpt")
        if path.stem != "previous"
        for key, value in torch.load(path)["state_dict"].items()
    }
    return rows, (result["test"], result["valid"]), parameters


def assert_equal(folder: Path) -> None:
    whole, cut = outcome(folder / "whole"), outcome(folder / "cut")
    assert cut[0] == whole[0]
    assert cut[1] == whole[1]
    assert cut[2].keys() == whole[2].keys()
    assert len({name.partition(" ")[0] for name in whole[2]}) == 4  # best, last and two steps
    assert [name for name, value in whole[2].items() if not torch.equal(value, cut[2][name])] == []
    assert not list((folder / "cut").rglob("*.part"))


def assert_gone_on_with(moments: dict[str, list[int]], kills: int, every: int) -> None:
    assert len(moments["killed"]) == kills
    known = [pair for pair in zip(moments["killed"], moments["resumed"], strict=True) if pair[1] is not None]
    assert len(known) > kills / 2  # the others were killed again before they trained
    assert [pair for pair in known if not pair[0] - every <= pair[1] <= pair[0]] == []


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, list[int]]]]:
    """Of each task the folder of its runs, and when one of them was killed and went on."""
    names = [plugin.name for plugin in plugins("task")]
    folders = {name: tmp_path_factory.mktemp(name) for name in names}
    words = {name: (f"task={name}", "cell=lstm", *SMALL, *PLATEAU, *data_of(name)) for name in names}
    moments = killed(*((folders[name], words[name], 2) for name in names))
    return {name: (folders[name], moment) for name, moment in zip(names, moments, strict=True)}


@pytest.mark.parametrize("task", [plugin.name for plugin in plugins("task")])
def test_a_run_killed_twice_ends_as_if_it_never_was(
    task: str, tasks: dict[str, tuple[Path, dict[str, list[int]]]]
) -> None:
    folder, moments = tasks[task]
    assert_gone_on_with(moments, kills=2, every=2)
    assert_equal(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("lm", ("cell=lstm", "net.zoneout=0.1", *PLATEAU)),
        ("sentiment", ("cell=tree-lstm", "schedule=cosine")),
        ("nmt", ("cell=gru", "net.weight_drop=0.2", "data.workers=2", *PLATEAU)),
        ("memory", ("data=adding", "data.length=20", "trainer.accumulate_grad_batches=3")),
    ],
)
def test_a_run_killed_twenty_times_ends_as_if_it_never_was(
    task: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    long = ("trainer.max_epochs=12", "trainer.limit_train_batches=1.0", "checkpoint.every_n_train_steps=1")
    (moments,) = killed((tmp_path, (f"task={task}", *SMALL, *data_of(task), *words, *long), 20))
    assert_gone_on_with(moments, kills=20, every=1)
    assert_equal(tmp_path)
