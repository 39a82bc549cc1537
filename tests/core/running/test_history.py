from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core.errors import InputError
from rnnx.core.running import history


def test_it_is_cut_to_what_a_checkpoint_knew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,loss\n0,0,0.0\n0,1,0.5\n0,2,1.0\n0,3,1.5\n0,4,2.0\n")
    assert history.settle(tmp_path) == 5
    with path.open("a") as file:
        file.write("0,5,2.")  # cut off by a kill
    history.cut(tmp_path, 3)
    assert path.read_text() == "epoch,step,loss\n0,0,0.0\n0,1,0.5\n0,2,1.0\n"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    history.write(tmp_path / "metrics.csv", ["step", "a"], [{"step": "1", "a": "2.5"}, {"step": "2"}])
    assert (tmp_path / "metrics.csv").read_text() == "step,a\n1,2.5\n2,\n"
    assert history.table(tmp_path / "metrics.csv") == (
        ["step", "a"],
        [{"step": "1", "a": "2.5"}, {"step": "2", "a": ""}],
    )


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
