"""Weights & Biases, by what its own reader finds in what it wrote."""

from __future__ import annotations

import csv
import json
import math
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from rnnx.core.errors import UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.run import Run
from rnnx.core.running.ending import Ending
from rnnx.core.running.result import Result
from rnnx.core.tracking.weights_and_biases import WeightsAndBiases

SMALL = (
    "cell=gru",
    "task=nmt",
    "data.train=96",
    "data.valid=20",
    "data.test=20",
    "data.batch_size=32",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=2",
    "cell.hidden_size=16",
    "task.embedding_size=16",
    "task.max_length=20",
    "task.min_length=2",  # however little it has learnt, there is something to see
)
RUN = (
    "import sys; from rnnx.core.experiment import Experiment; "
    "Experiment.from_words(*sys.argv[1:]).run(progress=False)"
)
MEDIA = ("samples.", "attention.", "curves.", "gradient_flow.", "flow/")
UNREACHABLE = "http://127.0.0.1:9"  # nothing listens on the discard port
KEY = "0123456789" * 4


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def inspect(folder: Path, *options: str) -> str:
    """What W&B's own reader finds in the offline run of a folder."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", *options, "--json", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run tracked by W&B, offline; to be left as it is."""
    out = tmp_path_factory.mktemp("tracking") / "runs"
    return Experiment.from_words(*SMALL, f"out={out}", "logger=wandb", "logger.project=parrots").run()


@pytest.fixture(scope="module")
def records(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in inspect(done.folder).splitlines()]


@pytest.fixture(scope="module")
def summary(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(inspect(done.folder, "--summary"))
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a user who never heard of W&B."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("WANDB_") and key not in ("NETRC", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    }
    return {**kept, "HOME": str(home)}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_wandb_has_what_metrics_csv_has(done: Result, records: list[dict[str, Any]]) -> None:
    tracked = [record["history"]["item"] for record in records if record["type"] == "history"]
    tracked = [
        {name: value for name, value in item.items() if name[0] != "_" and not name.startswith(MEDIA)}
        for item in tracked
    ]
    written = [
        {
            "trainer/global_step" if name == "step" else name: float(value)
            for name, value in row.items()
            if value
        }
        for row in history(done.folder)
    ]
    assert [item for item in tracked if len(item) > 1] == written
    steps = [row for row in written if "train/loss" in row]
    assert [row["trainer/global_step"] for row in steps] == [1, 3, 5]
    for row in steps:
        assert row.keys() >= {"gradient_norm", "learning_rate", "tokens_per_second"}
    assert sum("valid/bleu" in row for row in written) == 2
    assert sum("test/bleu" in row for row in written) == 1


def test_wandb_draws_against_the_step(records: list[dict[str, Any]]) -> None:
    metrics = [record["metric"] for record in records if record["type"] == "metric"]
    assert {metric.get("name") for metric in metrics} >= {"trainer/global_step"}
    assert any(metric.get("step_metric") == "trainer/global_step" for metric in metrics)


def test_wandb_knows_the_run(done: Result, records: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    (run,) = (record["run"] for record in records if record["type"] == "run")
    assert (run["project"], run["run_group"], run["display_name"]) == ("parrots", "nmt", "nmt-gru")
    assert set(run["tags"]) == {"gru", "nmt", "toy"}
    assert summary["state"] == "finished"
    config = summary["config"]
    assert (config["cell"]["name"], config["cell"]["hidden_size"]) == ("gru", 16)
    assert config["seed"] == 1
    assert config["trainer"]["max_epochs"] == 2
    for key in ("test", "valid", "seconds", "throughput", "versions"):
        assert summary["summary"][key] == done.values[key]
    assert summary["summary"]["parameters"] == done.values["parameters"]


def test_wandb_has_the_samples_as_a_table(done: Result, records: list[dict[str, Any]]) -> None:
    """In an artifact, where alone a table has what is no text."""
    (files,) = (
        {entry["path"]: Path(entry["local_path"]) for entry in record["artifact"]["manifest"]["contents"]}
        for record in records
        if record["type"] == "artifact" and "samples" in record["artifact"]["name"]
    )
    table = json.loads(files["samples.table.json"].read_text())
    assert table["columns"] == ["source", "reference", "translation", "attention"]
    assert [row[:3] for row in table["data"]] == [list(row.values()) for row in done.texts]
    shown = [files[row[3]["path"]].read_text() for row in table["data"]]
    assert shown == [row["attention"].html or "" for row in done.samples]
    assert len(table["data"]) == 5


def test_wandb_has_the_best_value_and_its_step(done: Result, summary: dict[str, Any]) -> None:
    rows = [(float(row["valid/bleu"]), int(row["step"])) for row in history(done.folder) if row["valid/bleu"]]
    bleu, step = max(rows, key=lambda row: row[0])  # the first of equals, as the checkpoint is
    assert summary["summary"]["best"] == {"bleu": pytest.approx(bleu), "step": step}
    assert summary["summary"]["valid/bleu"] == {
        "max": pytest.approx(bleu),
        "last": pytest.approx(rows[-1][0]),
    }


def test_wandb_has_the_gradient_flow_as_charts(done: Result, summary: dict[str, Any]) -> None:
    """Against what is measured anew, from the run as it is loaded."""
    (files,) = done.folder.glob("wandb/offline-run-*/files")
    flows = Run.load(done.folder).flow()
    assert len(flows) > 1
    for name in ("loss", "state"):
        found = json.loads((files / summary["summary"][f"flow/{name}_table"]["path"]).read_text())
        assert found["columns"] == ["step", "lineKey", "lineVal"]
        expected = [
            [lag, flow.layer, pytest.approx(math.log10(norm), rel=1e-3, abs=1e-3)]
            for flow in flows
            for lag, norm in enumerate(getattr(flow, name))
            if norm > 0
        ]
        assert found["data"] == expected


def test_wandb_keeps_no_model_offline(done: Result, records: list[dict[str, Any]]) -> None:
    assert {record["type"] for record in records} >= {"history", "summary", "run"}
    kinds = [record["artifact"].get("type") for record in records if record["type"] == "artifact"]
    assert "model" not in kinds


def test_wandb_has_the_pictures(done: Result, summary: dict[str, Any]) -> None:
    (files,) = done.folder.glob("wandb/offline-run-*/files")
    for name in ("attention", "curves"):
        image = summary["summary"][name]
        assert image["_type"] == "image-file"
        assert imread(files / image["path"]).shape[:2] == (image["height"], image["width"])


def test_wandb_writes_into_the_run_of_a_child_of_a_program_that_tracks_too(
    environment: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    """W&B's process is then the parent's, which was started in another folder."""
    here = tmp_path / "here"
    here.mkdir()
    program = f"""
import subprocess, sys, wandb
with wandb.init(mode="offline", dir={str(tmp_path)!r}):
    words = [*sys.argv[1:], "logger=wandb", "out=runs", "name=child"]
    sys.exit(subprocess.run([sys.executable, "-c", {RUN!r}, *words], cwd={str(here)!r}).returncode)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *(word for word in words if not word.startswith("out="))],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(here.glob("runs/child/wandb/offline-run-*/*.wandb"))) == 1


def test_wandb_writes_only_into_the_run(done: Result) -> None:
    assert [path.name for path in done.folder.parent.iterdir()] == ["nmt-gru"]
    assert (done.folder / "wandb").is_dir()
    assert (done.folder / "result.json").is_file()


def test_without_a_key_it_is_offline_and_asks_nothing_even_on_a_terminal(
    environment: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", RUN, *words]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 1024):
            said += piece
    except OSError:  # on Linux, the end of a terminal
        pass
    os.close(ours)
    assert process.wait() == 0
    assert said == b""
    assert json.loads(inspect(tmp_path / "runs" / "lm-elman", "--summary"))["state"] == "finished"
    assert not (tmp_path / "home" / ".netrc").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        pytest.param(
            {"WANDB_BASE_URL": UNREACHABLE, "WANDB_API_KEY": KEY, "WANDB_INIT_TIMEOUT": "1"},
            "connection refused",
            id="unreachable",
        ),
        pytest.param(
            {"WANDB_API_KEY": "short"}, "WANDB_API_KEY invalid", id="no real key", marks=pytest.mark.slow
        ),
    ],
)
def test_where_wandb_fails_it_is_offline_with_a_warning(
    environment: dict[str, str],
    words: tuple[str, ...],
    tmp_path: Path,
    settings: dict[str, str],
    reason: str,
) -> None:
    done = run({**environment, **settings}, *words)
    assert done.returncode == 0, done.stderr
    (warning,) = (line for line in done.stderr.splitlines() if "RunWarning" in line)
    assert "the run is tracked offline" in warning
    assert reason in warning
    assert json.loads(inspect(tmp_path / "runs" / "lm-elman", "--summary"))["state"] == "finished"


def test_an_unreachable_server_is_not_waited_for_longer_than_a_user_would(tmp_path: Path) -> None:
    tracker = WeightsAndBiases(project="parrots", entity="us")
    config = Experiment.from_words().config.to_plain()
    _, logger = tracker.begin(tmp_path, config, "valid/bleu", "max")
    settings = logger.experiment.settings
    assert 5 <= settings.init_timeout <= 30
    assert 5 <= settings.finish_timeout <= 120
    assert (settings.project, settings.entity) == ("parrots", "us")
    tracker.finish(Ending({}, 0))


def test_a_training_that_ends_before_its_time_is_tracked_as_that(tmp_path: Path) -> None:
    """Lightning tells its loggers so, after an error and after a signal."""
    tracker = WeightsAndBiases()
    config = Experiment.from_words().config.to_plain()
    history, logger = tracker.begin(tmp_path, config, "valid/bleu", "max")
    for follower in (history, logger):
        follower.log_metrics({"loss": 2.5}, step=1)
    logger.finalize("failed")
    logger.log_metrics({"loss": 1.5}, step=2)
    assert json.loads(inspect(tmp_path, "--summary"))["summary"]["loss"] == 2.5
    exits = [json.loads(line) for line in inspect(tmp_path).splitlines()]
    assert [record["exit"].get("exit_code") for record in exits if record["type"] == "exit"] == [1]


@pytest.mark.parametrize("mode", [pytest.param("disabled", marks=pytest.mark.slow), "offline"])
def test_the_mode_that_the_user_sets_wins_over_a_key(
    environment: dict[str, str], words: tuple[str, ...], tmp_path: Path, mode: str
) -> None:
    settings = {"WANDB_BASE_URL": UNREACHABLE, "WANDB_API_KEY": KEY, "WANDB_MODE": mode}
    done = run({**environment, **settings}, *words)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "runs" / "lm-elman"
    assert (folder / "wandb").is_dir() == (mode == "offline")
    assert (folder / "metrics.csv").is_file()


def test_a_mode_that_there_is_not_is_told(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(UsageError, match="WANDB_MODE: Input should be 'online', 'offline'"):
        Experiment.from_words(*words).run()


def test_the_mode_online_needs_a_key(environment: dict[str, str], words: tuple[str, ...]) -> None:
    done = run({**environment, "WANDB_MODE": "online"}, *words)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{UsageError.__module__}.UsageError: ")
    assert "No API key configured" in last
