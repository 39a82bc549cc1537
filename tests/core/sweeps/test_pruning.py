from __future__ import annotations

import csv
from pathlib import Path

import optuna
import pytest
from optuna import TrialPruned
from optuna.pruners import BasePruner, NopPruner, ThresholdPruner

from rnnx.core.experiment import Experiment
from rnnx.core.sweeps.pruning import Pruning

SMALL = (
    "task=memory",
    "logger=csv",
    "cell.hidden_size=4",
    "trainer.max_epochs=3",
    "trainer.limit_train_batches=4",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
    "name=it",
)


def trial_of(pruner: BasePruner) -> optuna.Trial:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(pruner=pruner).ask()


def validated(folder: Path) -> list[float]:
    """The loss of each validation there was."""
    with (folder / "it" / "metrics.csv").open() as file:
        return [float(row["valid/loss"]) for row in csv.DictReader(file) if row["valid/loss"]]


@pytest.mark.parametrize("words", [[], ["trainer.val_check_interval=2"], ["trainer.val_check_interval=0.5"]])
def test_every_validation_of_the_training_is_reported_by_its_number(tmp_path: Path, words: list[str]) -> None:
    trial = trial_of(NopPruner())
    experiment = Experiment.from_words(*SMALL, *words, f"out={tmp_path}")
    experiment.run(callbacks=[Pruning(trial, "valid/loss")])
    losses = validated(tmp_path)
    assert len(losses) == (6 if words else 3)
    (reported,) = trial.study.trials
    assert reported.intermediate_values == pytest.approx(dict(enumerate(losses, 1)))


def test_a_hopeless_run_is_stopped_after_the_validation_that_shows_it(tmp_path: Path) -> None:
    trial = trial_of(ThresholdPruner(upper=0.0, n_warmup_steps=2))  # which no loss is below
    experiment = Experiment.from_words(*SMALL, f"out={tmp_path}")
    with pytest.raises(TrialPruned, match="after validation 2"):
        experiment.run(callbacks=[Pruning(trial, "valid/loss")])
    assert len(validated(tmp_path)) == 2
    assert not (tmp_path / "it" / "result.json").exists()
