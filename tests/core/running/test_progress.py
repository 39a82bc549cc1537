from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest

from rnnx.core.data import Data
from rnnx.core.experiment import Experiment
from rnnx.core.running.progress import ProgressBar, is_watched
from rnnx.core.running.quiet import quiet
from rnnx.core.running.trainer import Trainer
from rnnx.core.task import Task

WORDS = ("cell=elman", "cell.hidden_size=4", "task=nmt", "task.embedding_size=4", "data.batch_size=8")
SIZES = ("data.train=48", "data.valid=4", "data.test=4")


@pytest.fixture
def prepared() -> tuple[Data, Task]:
    """Six batches, and what is trained on them."""
    data, task = Experiment.from_words(*WORDS, *SIZES).prepare()
    assert isinstance(task, Task)
    return data, task


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written goes to a terminal without colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.usefixtures("terminal")
def test_throughput_is_of_what_the_task_counts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = ("task=memory", "data.train=40", "cell.hidden_size=4", "trainer.max_epochs=1", "logger=none")
    experiment = Experiment.from_words(*words, "trainer.log_every_n_steps=1", f"out={tmp_path}")
    experiment.run(progress=True)
    _, err = capfd.readouterr()
    assert re.search(r"loss \d\S*  [\d,]+ answers/s", err)


def fit(trainer: L.Trainer, data: Data, task: Task, *valid: Any) -> None:
    with quiet():
        trainer.fit(task, data.loader("train"), *valid)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("pause", "shares"),
    [(0.0, [0, 8, 17, 25, 33, 42, 50, 58, 67, 75, 83, 92, 100]), (math.inf, [0, 50, 100])],
    ids=["no pause", "a long pause"],
)
def test_it_is_drawn_at_the_end_of_an_epoch_and_in_between_after_a_pause(
    pause: float,
    shares: list[int],
    prepared: tuple[Data, Task],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trainer = Trainer(max_epochs=2, accelerator="cpu").build(tmp_path, [], [ProgressBar(pause)])
    fit(trainer, *prepared)
    out, err = capfd.readouterr()
    assert out == ""
    drawn = [(int(epoch), int(share)) for epoch, share in re.findall(r"epoch (\d) of 2 .*?(\d+)%", err)]
    assert sorted(dict.fromkeys(share for _, share in drawn)) == shares  # of the whole run
    assert all(epoch == (1 if share <= 50 else 2) for epoch, share in drawn)
    assert err.rstrip("\r").endswith("\x1b[2K")  # nothing of it stays


class Clock(L.Callback):
    """Time goes by ten seconds a step and thirty a validation, and not else."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def on_train_batch_start(self, *_: Any) -> None:
        self.now += 10

    def on_validation_end(self, *_: Any) -> None:
        self.now += 30


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("rnnx.core.running.progress.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.mark.usefixtures("terminal")
def test_the_time_left_is_that_of_the_whole_run_with_its_validations(
    prepared: tuple[Data, Task], clock: Clock, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, task = prepared
    bar = ProgressBar(0.0)
    trainer = Trainer(max_epochs=2, accelerator="cpu").build(tmp_path, [], [clock, bar])
    fit(trainer, data, task, data.loader("valid"))
    err = capfd.readouterr().err
    assert "epoch 1 of 2, validation 1 of 1 " in err
    left = dict(re.findall(r"(\d+)% (\S+) left", err))
    assert left["8"] == "0:01:50"  # 11 steps at 10 s
    assert left["50"] == "0:01:00"
    assert left["58"] == "0:01:11"  # 100 s for 7 steps; 5 more
    assert left["100"] == "0:00:00"

    trainer.fit_loop.max_epochs = 4  # it goes on: 12 of 24 steps are done, in no time of its own
    fit(trainer, data, task)
    left = dict(re.findall(r"(\d+)% (\S+) left", capfd.readouterr().err))
    assert left["54"] == "0:01:50"


@pytest.mark.usefixtures("terminal")
def test_what_is_said_stays_above_it_and_the_test_has_one_too(
    prepared: tuple[Data, Task], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, task = prepared
    bar = ProgressBar(0.0)
    trainer = Trainer(max_epochs=1, accelerator="cpu", log_every_n_steps=1).build(tmp_path, [], [bar])
    bar.say("[bold] :smile: " + "long " * 30 + "end")
    fit(trainer, data, task)
    with quiet():
        trainer.test(task, data.loader("test"), verbose=False)
        trainer.validate(task, data.loader("valid"), verbose=False)
    err = capfd.readouterr().err
    assert "[bold] :smile: " + "long " * 30 + "end\n" in err
    assert re.search(r"epoch 1 of 1 .*100% 0:00:00 left \S*loss \d\.\d", err)
    assert re.search(r"test +\S+ +100%", err)
    assert re.search(r"validation +\S+ +100%", err)


def test_elsewhere_only_what_is_said_is_written(
    prepared: tuple[Data, Task], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressBar(0.0)
    trainer = Trainer(max_epochs=1, accelerator="cpu").build(tmp_path, [], [bar])
    fit(trainer, *prepared)
    bar.say("epoch 1")
    assert capfd.readouterr() == ("", "epoch 1\n")
    assert not is_watched()
