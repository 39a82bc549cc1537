"""The line after each validation, with losses worked by hand."""

from __future__ import annotations

import csv
import math
import os
import re
import signal
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.pytorch.callbacks import LambdaCallback

from rnnx.core.errors import Interrupted
from rnnx.core.experiment import Experiment
from rnnx.core.running.lines import Lines
from rnnx.core.running.optimizers import SGD
from rnnx.core.running.stopping import NonFinite
from tests.core.test_task import NET, Mean, fit

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


def test_it_says_a_line_an_epoch(tmp_path: Path) -> None:
    said: list[str] = []
    words = (*SMALL, "logger=none", f"out={tmp_path}", "trainer.max_epochs=3")
    Experiment.from_words(*words).run(say=said.append)
    assert [line.partition(" (")[0] for line in said] == ["epoch 1", "epoch 2", "epoch 3"]
    assert all(" train loss " in line and " valid loss " in line for line in said)


def test_the_training_loss_of_a_line_is_that_of_the_epoch(tmp_path: Path) -> None:
    """The guess is 1, 3, 4: losses 2, 8, 18 and 0, of which the last batch has one; then 0, 2, 8 and 1/2."""
    task, said = Mean(NET, {}, first=1.0), list[str]()
    task.optimizer = SGD(lr=0.5)
    fit(
        task,
        tmp_path,
        [3.0, 5.0, 7.0],
        [3.0],
        max_epochs=2,
        callbacks=[Lines(said.append, "valid/loss", math.inf)],
    )
    losses = [line.partition("train loss ")[2].partition(",")[0] for line in said]
    assert losses == ["7", "2.625"]  # 28 / 4 and 10.5 / 4


def test_a_step_that_is_left_out_is_not_in_the_training_loss(tmp_path: Path) -> None:
    """The guess is 1, 3, 3: losses 2, one that is infinite, and 0."""
    task, said = Mean(NET, {}, first=1.0), list[str]()
    task.optimizer = SGD(lr=1.0)
    callbacks = [NonFinite(task.gradient_norm, skip=True), Lines(said.append, "valid/loss", math.inf)]
    fit(task, tmp_path, [3.0], [math.inf], [3.0], callbacks=callbacks)
    assert [line.partition("train loss ")[2].partition(",")[0] for line in said] == ["1"]


def test_within_an_epoch_it_is_that_of_what_was_predicted_so_far(tmp_path: Path) -> None:
    """The gradients are 1 and 0, so the guess is 1, 0, 0: losses 1/2, 0 and 2."""
    task, said = Mean(NET, {}, first=1.0), list[str]()
    task.optimizer = SGD(lr=1.0)
    often = {"val_check_interval": 1, "callbacks": [Lines(said.append, "valid/loss", math.inf)]}
    fit(task, tmp_path, [0.0], [0.0], [2.0], **often)
    losses = [line.partition("train loss ")[2].partition(",")[0] for line in said]
    assert losses == ["0.5", "0.25", "0.8333"]


def test_without_a_validation_it_says_now_and_then_how_far_the_epoch_is(tmp_path: Path) -> None:
    """The guess is 1, 2, 4.5: losses 2, 12.5 and 15.125, whose means so far are told."""
    task, said = Mean(NET, {}, first=1.0), list[str]()
    task.optimizer = SGD(lr=0.5)
    fit(task, tmp_path, [3.0], [7.0], [10.0], callbacks=[Lines(said.append, "valid/loss", 0.0)])
    assert [re.sub(r"\d+ s", "s", line) for line in said[:3]] == [
        "epoch 1, 33% (s): train loss 2",
        "epoch 1, 67% (s): train loss 7.25",
        "epoch 1, 100% (s): train loss 9.875",
    ]


def test_the_training_loss_of_a_resumed_run_is_that_of_the_whole_epoch(tmp_path: Path) -> None:
    """An epoch has four steps of eight examples each."""
    said: list[str] = []
    words = (*SMALL, "logger=csv", "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "name=cut")

    def stop(trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    experiment = Experiment.from_words(*words, f"out={tmp_path}")
    with pytest.raises(Interrupted):
        experiment.run(callbacks=[LambdaCallback(on_train_batch_end=stop)])
    Experiment.resume(tmp_path / "cut", say=said.append)
    with (tmp_path / "cut" / "metrics.csv").open(newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    (line,) = said
    assert len(losses) == 8
    loss = float(line.partition("train loss ")[2].partition(",")[0])
    assert loss == pytest.approx(sum(losses[4:]) / 4, rel=1e-3)


def test_a_line_has_the_loss_the_watched_metric_and_two_more(tmp_path: Path) -> None:
    """Of named entities there are four metrics for each type beside these."""
    said: list[str] = []
    small = ("task=ner", "data.train=32", "data.valid=8", "data.test=8", "cell.hidden_size=4")
    words = (*small, "logger=none", f"out={tmp_path}", "trainer.max_epochs=1")
    Experiment.from_words(*words).run(say=said.append)
    (line,) = said
    names = [part.rsplit(" ", 1)[0] for part in line.partition(": ")[2].split(", ")]
    assert names == ["train loss", "valid loss", "valid precision", "valid recall", "valid f1"]
