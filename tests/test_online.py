"""Runs tracked online, by a server on this machine: one that works, a slow one, and some that fail."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.wandb_server import STORED, Server

pytestmark = pytest.mark.slow

SMALL = (
    "task=memory", "data.train=96", "data.valid=20", "data.test=20", "data.batch_size=32",
    "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "cell.hidden_size=8", "name=tracked",
)  # fmt: skip
WHOLE = {"config.yaml", "metrics.csv", "result.json", "flow.json", "checkpoints", "samples", "plots", "wandb"}


def run(
    folder: Path, server: Server, words: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnx.cli", "run", *SMALL, *words, f"out={folder}"],
        env={**os.environ, **server.environment, "WANDB_MODE": "online", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
    )


def history(folder: Path) -> list[dict[str, float]]:
    """What ``metrics.csv`` says, row by row."""
    with (folder / "tracked" / "metrics.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def arrived(server: Server) -> list[dict[str, float]]:
    """The rows of the server in their order, as ``metrics.csv`` has them."""
    renamed = [
        {
            ("step" if key == "trainer/global_step" else key): value
            for key, value in row.items()
            if key[0] != "_"
        }
        for _, row in sorted(server.rows.items())
    ]
    return [row for row in renamed if "epoch" in row]


def offline(folder: Path) -> list[dict[str, Any]]:
    """The rows in W&B's own file, read by its own reader."""
    files = folder.glob("tracked/wandb/*run-*-*/*.wandb")
    file = max(files, key=lambda file: file.parent.name.removeprefix("offline-"))
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records = map(json.loads, said.splitlines())
    return [record["history"]["item"] for record in records if record["type"] == "history"]


@pytest.mark.parametrize("seconds", [pytest.param(0.0, id="quick"), pytest.param(1.0, id="slow")])
def test_everything_arrives(tmp_path: Path, seconds: float) -> None:
    with Server(seconds=seconds) as server:
        done = run(tmp_path, server)
    assert done.returncode == 0, done.stderr
    assert len({asked["name"] for asked in server.runs}) == 1, "one run, and no other"
    first = server.runs[0]
    assert (first["project"], first["displayName"], first["groupName"]) == ("rnnx", "tracked", "memory")
    assert json.loads(first["config"])["cell"]["value"]["hidden_size"] == 8
    assert arrived(server) == history(tmp_path)
    steps = [row["step"] for row in history(tmp_path) if "train/loss" in row]
    assert steps == list(range(6))
    result = json.loads((tmp_path / "tracked" / "result.json").read_text())
    assert {key: server.summary[key] for key in result} == result
    kinds = {name.split("_")[0] for name in server.files}
    assert kinds >= {"media/images/curves", "media/table/samples"}
    assert "did not end well" not in done.stderr
    assert server.summary["best"]["step"] in steps


def test_the_best_model_arrives_as_what_predicts(tmp_path: Path) -> None:
    with Server() as server:
        assert run(tmp_path, server).returncode == 0
    folder, copy = tmp_path / "tracked", tmp_path / "copy"
    (model,) = (asked for asked in server.artifacts if asked["artifactTypeName"] == "model")
    assert json.loads(model["metadata"])["test"] == json.loads((folder / "result.json").read_text())["test"]
    for name in ("config.yaml", "result.json", "checkpoints/best.ckpt"):
        content = server.files[STORED + name]
        assert content == (folder / name).read_bytes()
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    (answer, of_the_copy) = (
        subprocess.run(
            [sys.executable, "-m", "rnnx.cli", "predict", str(place)],
            input="0.3:0 0.8:1 0.5:1\n",
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for place in (folder, copy)
    )
    assert answer == of_the_copy != ""


def test_the_model_stays_where_it_is_if_asked(tmp_path: Path) -> None:
    with Server() as server:
        assert run(tmp_path, server, words=("logger.model=false",)).returncode == 0
    assert "model" not in {asked["artifactTypeName"] for asked in server.artifacts}
    assert server.artifacts


@pytest.mark.parametrize("answers", [0, 2, 8, 14])
def test_a_server_that_fails_stops_nothing(tmp_path: Path, answers: int) -> None:
    with Server(answers) as server:
        start = time.monotonic()
        done = run(tmp_path, server, WANDB_INIT_TIMEOUT="5", WANDB_FINISH_TIMEOUT="5")
        assert time.monotonic() - start < 300, "W&B's own patience is half an hour"
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in (tmp_path / "tracked").iterdir()} == WHOLE
    rows = history(tmp_path)
    assert [row["step"] for row in rows if "train/loss" in row] == list(range(6))
    kept = [row["trainer/global_step"] for row in offline(tmp_path) if "epoch" in row]
    if answers == 0:
        assert "the run is tracked offline" in done.stderr
        assert kept == [row["step"] for row in rows]
    else:
        assert "no answer in 5 s; metrics.csv has all that was measured" in done.stderr
        assert kept == [row["step"] for row in rows][: len(kept)]  # W&B's process writes when it likes


KILLER = """
import sys
import lightning as L, wandb
from rnnx.core.experiment import Experiment
from rnnx.core.running.meter import Meter

kept = Meter.on_train_batch_end
def die(self, trainer, *others):
    kept(self, trainer, *others)
    if trainer.global_step == 3:
        service = wandb.setup()._connection._proc._process
        service.kill()
        service.wait()
Meter.on_train_batch_end = die
Experiment.from_words(*sys.argv[1:]).run()
"""


def test_where_the_tracking_dies_the_training_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *SMALL, f"out={tmp_path}"],
        env={**os.environ, "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "the run is no longer tracked, as Weights & Biases says: " in done.stderr
    assert "Traceback" not in done.stderr
    assert [row["step"] for row in history(tmp_path) if "train/loss" in row] == list(range(6))
    assert (tmp_path / "tracked" / "result.json").is_file()
