from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from rnnx.core.errors import UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.running.training import count_parameters, metrics_of

SMALL = (
    "task=memory",
    "data=adding",
    "data.length=5",
    "data.train=32",
    "data.valid=8",
    "data.test=8",
    "data.batch_size=8",
    "cell.hidden_size=4",
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*LeafSpec.*:FutureWarning", "ignore:.*does not have many workers", "ignore:.*logging interval"
)


def test_shared_parameters_count_once() -> None:
    layer = nn.Linear(3, 4)
    assert count_parameters(nn.Sequential(layer, layer)) == 16


def test_what_was_not_measured_is_not_there() -> None:
    assert metrics_of([]) == {}
    assert metrics_of([{"test/f1@10": 3.0, "test/a/b": 1.0}]) == {"f1@10": 3.0, "a/b": 1.0}


def test_a_run_that_cannot_be_tracked_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "nowhere")
    with pytest.raises(UsageError):
        Experiment.from_words(*SMALL, "logger=wandb", f"out={tmp_path}").run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "trainer.accelerator=tpu",
        "trainer.max_time=1h",
        "trainer.max_epochs=0",
        "trainer.val_check_interval=5",
        "trainer.limit_test_batches=0.5",
        "trainer.strategy=foo",
    ],
)
def test_a_run_that_cannot_be_trained_leaves_no_folder(tmp_path: Path, wrong: str) -> None:
    """An epoch has four batches, a test has one."""
    with pytest.raises(UsageError, match=f"^{wrong.partition('=')[0]}: "):
        Experiment.from_words(*SMALL, "logger=none", "name=mine", f"out={tmp_path}", wrong).run()
    assert list(tmp_path.iterdir()) == []


def test_a_metric_that_there_is_not_is_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        Experiment.from_words(*SMALL, "checkpoint.monitor=valid/mse", f"out={tmp_path}").run()
    assert str(refused.value) == (
        "checkpoint.monitor: expected a metric of the validation, one of loss, mse, got 'valid/mse'; did you "
        "mean 'mse'?"
    )
    assert list(tmp_path.iterdir()) == []


def test_to_look_at_a_metrics_name_changes_nothing_of_a_training(tmp_path: Path) -> None:
    words = (*SMALL, "logger=none", "trainer.max_epochs=2", "net.variational_output=0.5", f"out={tmp_path}")
    usual = Experiment.from_words(*words, "name=usual").run()
    other = Experiment.from_words(*words, "name=other", "checkpoint.monitor=mse").run()
    assert other.values["test"] == usual.values["test"]


def test_the_metric_of_a_run_stays_when_it_goes_on(tmp_path: Path) -> None:
    result = Experiment.from_words(*SMALL, "logger=none", "trainer.max_epochs=1", f"out={tmp_path}").run()
    more = (result.folder, "trainer.max_epochs=2")
    with pytest.raises(UsageError) as refused:
        Experiment.resume(*more, "checkpoint.monitor=mse")
    assert str(refused.value) == (
        "checkpoint.monitor: expected loss, by which the best model so far was chosen, got mse; start "
        "another run with rnnx run"
    )
    assert Experiment.resume(*more, "checkpoint.monitor=loss").values["valid"]["loss"] > 0


def test_samples_are_from_all_over_the_test(tmp_path: Path) -> None:
    """Ten of a class, then ten of the other, in batches of three: of each four one."""
    lines = [f"{name}{number}\t{name}\n" for name in ("bad", "good") for number in range(10)]
    (tmp_path / "all.tsv").write_text("".join(lines))
    splits = [f"data.{split}={tmp_path / 'all.tsv'}" for split in ("train", "valid", "test")]
    words = ("task=sentiment", "data=files", *splits, "data.batch_size=3", "trainer.max_epochs=1")
    result = Experiment.from_words(*words, "cell.hidden_size=4", "logger=none", f"out={tmp_path}").run()
    texts = [line.split("\t")[0] for line in (result.folder / "samples/test.tsv").read_text().splitlines()]
    assert texts == ["text", "bad2", "bad6", "good0", "good4", "good8"]


PROGRAM = """
import os, signal, sys, lightning
from rnnx.core.errors import Interrupted
from rnnx.core.experiment import Experiment

class Warned(lightning.Callback):
    def on_train_batch_end(self, trainer, *rest):
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGUSR1)

try:
    result = Experiment.from_words(*sys.argv[1:]).run(callbacks=[Warned()])
    print(result.folder.name)
except Interrupted as stop:
    sys.exit(stop.exit_code)
"""


@pytest.mark.slow
def test_a_job_that_slurm_warns_is_requeued_and_goes_on(tmp_path: Path) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    job = {
        "SLURM_JOB_ID": "77",
        "SLURM_JOB_NAME": "mine",
        "SLURM_NTASKS": "1",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "localhost",
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }
    words = [
        *SMALL,
        "logger=csv",
        f"out={tmp_path / 'runs'}",
        "trainer.max_epochs=3",
        "trainer.log_every_n_steps=1",
    ]
    command = [sys.executable, "-c", PROGRAM, *words]
    first = subprocess.run(command, env=os.environ | job, capture_output=True, text=True)
    assert first.returncode == 128 + signal.SIGUSR1, first.stderr
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    folder = tmp_path / "runs" / "memory-gru-77"
    assert not (folder / "result.json").exists()

    again = subprocess.run(
        command, env=os.environ | job | {"SLURM_RESTART_COUNT": "1"}, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["memory-gru-77"]
    steps = [line.split(",")[1] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
    assert sorted(set(steps), key=int) == [str(step) for step in range(13)]
    assert json.loads((folder / "result.json").read_text())["test"]["loss"] > 0


@pytest.mark.parametrize(
    ("profiler", "action"), [("simple", "run_training_batch"), ("advanced", "Profile stats for: ")]
)
def test_what_a_profiler_measured_is_in_the_folder(profiler: str, action: str, tmp_path: Path) -> None:
    words = (*SMALL, "logger=none", "trainer.max_epochs=1", f"trainer.profiler={profiler}", f"out={tmp_path}")
    result = Experiment.from_words(*words).run()
    assert action in (result.folder / "fit-profile.txt").read_text()
