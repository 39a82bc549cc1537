from __future__ import annotations

import csv
from pathlib import Path

from rnnx.core.running import history
from rnnx.core.running.history_logger import History


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_is_in_the_file_as_soon_as_it_is_logged(tmp_path: Path) -> None:
    logger = History(tmp_path)
    logger.log_metrics({"train/loss": 2.5, "epoch": 0}, step=4)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,train/loss\n0,4,2.5\n"
    logger.log_metrics({"train/loss": 2.25, "epoch": 1}, step=5)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,train/loss\n0,4,2.5\n1,5,2.25\n"


def test_a_new_metric_is_a_new_column(tmp_path: Path) -> None:
    logger = History(tmp_path)
    logger.log_metrics({"train/loss": 2.5, "epoch": 0}, step=1)
    logger.log_metrics({"valid/loss": 3.0, "epoch": 0}, step=1)
    logger.log_metrics({"train/loss": 1.5, "epoch": 1}, step=2)
    assert rows(tmp_path) == [
        {"epoch": "0", "step": "1", "train/loss": "2.5", "valid/loss": ""},
        {"epoch": "0", "step": "1", "train/loss": "", "valid/loss": "3.0"},
        {"epoch": "1", "step": "2", "train/loss": "1.5", "valid/loss": ""},
    ]


def test_a_file_that_is_there_is_gone_on_with(tmp_path: Path) -> None:
    History(tmp_path).log_metrics({"loss": 1.0, "epoch": 0}, step=1)
    again = History(tmp_path)
    again.log_metrics({"loss": 2.0, "epoch": 0}, step=2)
    again.log_metrics({"accuracy": 3.0, "epoch": 0}, step=2)
    assert [(row["loss"], row["accuracy"]) for row in rows(tmp_path)] == [
        ("1.0", ""),
        ("2.0", ""),
        ("", "3.0"),
    ]


def test_what_is_cut_is_gone_on_with(tmp_path: Path) -> None:
    logger = History(tmp_path)
    for step in range(5):
        logger.log_metrics({"loss": step / 2, "epoch": 0}, step=step)
    assert history.settle(tmp_path) == 5
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("0,5,2.")  # cut off by a kill
    history.cut(tmp_path, 3)
    assert [row["step"] for row in rows(tmp_path)] == ["0", "1", "2"]
    History(tmp_path).log_metrics({"loss": 9.0, "epoch": 0}, step=3)
    assert [row["loss"] for row in rows(tmp_path)] == ["0.0", "0.5", "1.0", "9.0"]
