from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.errors import RunError
from rnnx.core.experiment import Experiment
from rnnx.core.running.checkpoints import read_checkpoint
from rnnx.core.running.result import Result

NMT = (
    "task=nmt",
    "logger=csv",
    "data.train=96",
    "data.valid=8",
    "data.test=8",
    "data.batch_size=32",
    "cell.hidden_size=8",
    "task.embedding_size=8",
    "task.max_length=4",
    "trainer.log_every_n_steps=1",
)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Spoilt(L.Callback):
    """Makes the gradient of one parameter something else, at one step."""

    def __init__(self, step: int, name: str, spoil: Callable[[Tensor], Tensor]) -> None:
        self.step, self.name, self.spoil = step, name, spoil
        self.before: dict[int, Tensor] = {}

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        parameter = dict(pl_module.named_parameters())[self.name]
        self.before[trainer.global_step] = parameter.detach().clone()
        if trainer.global_step == self.step:
            parameter.grad = self.spoil(parameter.grad)


def spoilt(spoil: Callable[[Tensor], Tensor]) -> Spoilt:
    return Spoilt(4, "decoder.output.bias", spoil)


def run(out: Path, *words: str, callbacks: tuple[L.Callback, ...] = ()) -> Result:
    return Experiment.from_words(*NMT, *words, f"out={out}").run(callbacks=callbacks)


def history(folder: Path, name: str) -> list[float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_gradient_that_is_none_stops_the_run(number: float, tmp_path: Path) -> None:
    def spoil(gradient: Tensor) -> Tensor:
        return torch.full_like(gradient, number)

    with pytest.raises(RunError) as refused:
        run(tmp_path, "trainer.max_epochs=3", callbacks=(spoilt(spoil),))
    said = str(refused.value)
    assert said.startswith("step 5 (epoch 2): the loss is ")
    assert re.search(r" and 1 of \d+ gradients are not finite, ", said)
    assert "the largest being that of decoder.output.bias" in said
    examples = said.partition("the training examples ")[2].partition(", ...")[0].split(", ")
    assert len(set(examples)) == 16
    assert all(0 <= int(example) < 96 for example in examples)
    assert len(history(tmp_path / "nmt-gru", "train/loss")) == 4


@pytest.mark.parametrize("number", [1e19, 1e20])  # the square of the second is none of 32 bits
def test_gradients_whose_norm_alone_overflows_are_told_as_that(number: float, tmp_path: Path) -> None:
    with pytest.raises(RunError) as refused:
        run(tmp_path, callbacks=(Spoilt(1, "decoder.output.bias", lambda g: torch.full_like(g, number)),))
    said = str(refused.value)
    assert said.startswith("step 2 (epoch 1): the loss is ")
    assert "gradients are finite, but their norm is too large a number, the largest" in said
    assert "the largest being that of decoder.output.bias; the batch holds" in said


def test_a_loss_that_is_none_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"step 2 \(epoch 1\): the loss is inf and \d+ of \d+ grad"):
        run(tmp_path, "optimizer=sgd", "optimizer.lr=1e38", "trainer.gradient_clip_val=0")


def test_it_can_be_left_out(tmp_path: Path) -> None:
    wrong = spoilt(lambda gradient: gradient / 0)
    result = run(tmp_path, "trainer.max_epochs=3", "stopping.non_finite=skip", callbacks=(wrong,))
    assert torch.equal(wrong.before[4], wrong.before[5])
    assert not torch.equal(wrong.before[5], wrong.before[6])
    assert set(history(result.folder, "skipped_steps")) == {1.0}
    assert math.isfinite(result.values["test"]["loss"])


class Deaf(L.Callback):
    """Makes all that is read at one step something else."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self.weight = pl_module.get_parameter("embedding.weight").data
        self.before = self.weight.clone()
        if batch_idx == self.step:
            self.weight.fill_(math.nan)

    def on_train_batch_end(self, *_: Any) -> None:
        if self.weight.isnan().any():
            self.weight.copy_(self.before)


@pytest.mark.parametrize("step", [0, 3])
def test_what_is_carried_on_from_a_step_that_is_left_out_spoils_no_other(step: int, tmp_path: Path) -> None:
    words = ("task=lm", "data.characters=6000", "data.bptt=20", "cell.hidden_size=8", "logger=csv")
    skipping = ("stopping.non_finite=skip", "trainer.log_every_n_steps=1", "trainer.max_epochs=1")
    experiment = Experiment.from_words(*words, *skipping, f"out={tmp_path}")
    result = experiment.run(callbacks=(Deaf(step),))
    losses = history(result.folder, "train/loss")
    assert len(losses) == 9
    assert [place for place, loss in enumerate(losses) if math.isnan(loss)] == [step]
    assert set(history(result.folder, "skipped_steps")) == {1.0}


def test_nothing_is_said_of_finite_numbers(tmp_path: Path) -> None:
    large = spoilt(lambda gradient: gradient.clamp(-1e-3, 1e-3) * 1e18)
    result = run(tmp_path, "trainer.max_epochs=2", callbacks=(large,))
    assert len(history(result.folder, "train/loss")) == 6


def test_the_training_ends_where_there_is_no_more_progress(tmp_path: Path) -> None:
    result = run(tmp_path, "trainer.max_epochs=9", "stopping.patience=2", "stopping.min_delta=1e9")
    assert len(history(result.folder, "valid/loss")) == 3
    assert len(history(result.folder, "train/loss")) == 9


def test_progress_is_what_the_best_model_is_chosen_by(tmp_path: Path) -> None:
    result = run(tmp_path, "trainer.max_epochs=4", "stopping.patience=1", "optimizer.lr=3e-3")
    bleu = history(result.folder, "valid/bleu")
    falls = [n for n in range(1, len(bleu)) if bleu[n] <= max(bleu[:n])]
    assert len(bleu) == (falls[0] + 1 if falls else 4)


def test_another_metric_may_choose_the_best_model_and_end_the_training(tmp_path: Path) -> None:
    """By BLEU, which falls at once, it would end earlier; the rate is so high that the loss rises too."""
    words = ("trainer.max_epochs=6", "stopping.patience=1", "optimizer.lr=0.2", "checkpoint.monitor=loss")
    result = run(tmp_path, *words)
    loss = history(result.folder, "valid/loss")
    rises = [n for n in range(1, len(loss)) if loss[n] >= min(loss[:n])]
    assert len(loss) == (rises[0] + 1 if rises else 6)
    assert 2 < len(loss) < 6
    bleu = history(result.folder, "valid/bleu")
    assert bleu[1] < bleu[0]
    best = read_checkpoint(result.folder / "checkpoints" / "best.ckpt")
    assert best["epoch"] == loss.index(min(loss))
    assert result.values["valid"]["loss"] == pytest.approx(min(loss), rel=1e-6)


def test_without_being_asked_it_goes_on_to_the_end(tmp_path: Path) -> None:
    result = run(tmp_path, "trainer.max_epochs=4", "optimizer.lr=1e-9")
    assert len(history(result.folder, "valid/loss")) == 4


def test_without_validations_nothing_is_waited_for(tmp_path: Path) -> None:
    words = ("trainer.limit_val_batches=0", "stopping.patience=1", "schedule=plateau", "trainer.max_epochs=2")
    result = run(tmp_path, *words)
    assert len(history(result.folder, "train/loss")) == 6


def test_patience_is_one_of_validations(tmp_path: Path) -> None:
    """Without a change of the model no validation after the first is better."""
    still = ("optimizer=sgd", "optimizer.lr=1e-30", "stopping.patience=2", "trainer.max_epochs=9")
    result = run(tmp_path, *still, "trainer.val_check_interval=1", "stopping.min_delta=0.001")
    assert len(history(result.folder, "valid/loss")) == 3
