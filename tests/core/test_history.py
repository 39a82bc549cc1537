from __future__ import annotations

import csv
from pathlib import Path

import pytest

from rnnx.core import history
from rnnx.core.errors import InputError
from rnnx.core.history import History


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


def test_it_is_cut_to_what_a_checkpoint_knew(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("kept", [0, 3])
def test_without_a_file_there_is_nothing_to_cut(kept: int, tmp_path: Path) -> None:
    assert history.settle(tmp_path) == 0
    history.cut(tmp_path, kept)
    assert not (tmp_path / "metrics.csv").exists()


def test_what_is_read_are_the_rows_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,loss\n0,1,nan\n0,2,\n")
    assert history.read(path) == [
        {"epoch": "0", "step": "1", "loss": "nan"},
        {"epoch": "0", "step": "2", "loss": ""},
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"epoch,loss\n0,1\n", ":1: expected a column 'step', got epoch, loss"),
        (b"step,loss\n1,2\n,3\n", ":3: expected a step and numbers in step, loss"),
        (b"step,loss\n1,two\n", ":2: expected a step and numbers in step, loss"),
        (b"step,loss\n1,2\n2\n", ":3: expected a step and numbers in step, loss"),
        (b"step,loss\n1,2,3\n", ":2: expected a step and numbers in step, loss"),
        (b'step,loss\n1,"2', ": expected comma-separated text, as rnnx writes it: unexpected end of data"),
        (b"step\n\xff\n", ": expected comma-separated text, as rnnx writes it: 'utf-8' codec can't decode"),
    ],
)
def test_what_is_no_history_is_told_with_its_line(text: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        history.read(path)
    assert str(caught.value).startswith(f"{path}{problem}")


def test_a_missing_history_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        history.read(tmp_path / "metrics.csv")


def test_a_series_is_the_points_of_a_metric(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,a,b\n0,1,2.5,\n0,1,,nan\n1,3,inf,\n")
    series = history.series(tmp_path / "metrics.csv")
    assert series["a"] == [(1.0, 2.5), (3.0, float("inf"))]
    [(step, value)] = series["b"]
    assert step == 1.0
    assert value != value
    assert set(series) == {"a", "b"}
