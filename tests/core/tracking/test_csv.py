"""The history as a file."""

from __future__ import annotations

import csv
from pathlib import Path

from rnnx.core.experiment import Experiment


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_is_metrics_csv_and_nothing_of_wandb(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = Experiment.from_words(*words, "logger=csv").run()
    assert len(history(result.folder)) >= 2
    assert not (result.folder / "wandb").exists()
