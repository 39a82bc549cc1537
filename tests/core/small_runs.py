"""Trainings of a few seconds, and what their folders hold."""

from __future__ import annotations

import csv
from pathlib import Path

from rnnx.core.experiment import Experiment
from rnnx.core.running.result import Result

NMT = (
    "cell=gru",
    "task=nmt",
    "logger=csv",
    "data.train=96",
    "data.valid=20",
    "data.test=20",
    "data.batch_size=32",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1",
    "cell.hidden_size=16",
    "task.embedding_size=16",
    "task.max_length=20",
    "task.min_length=2",  # however little it has learnt, there is something to see
)
LM = (
    "cell=elman",
    "task=lm",
    "data=files",
    "logger=csv",
    "cell.hidden_size=8",
    "task.embedding_size=8",
    "data.batch_size=4",
    "trainer.max_epochs=1",
)


def run(out: Path, *words: str) -> Result:
    return Experiment.from_words(*words, f"out={out}").run()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def samples(folder: Path) -> list[dict[str, str]]:
    with (folder / "samples" / "test.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, dialect="excel-tab"))
