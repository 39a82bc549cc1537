from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.image import imread

from rnnx.core.plots import curves


def panels(path: Path) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in curves(path).axes if axes.get_visible()}


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): list(zip(*(data.tolist() for data in line.get_data()), strict=True))
        for line in axes.lines
    }


def test_a_metric_is_a_panel_and_a_split_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(
        "epoch,step,learning_rate,test/loss,train/loss,valid/f1@10,valid/loss\n"
        "0,1,0.5,,9.0,,\n"
        "0,3,0.25,,7.0,,\n"
        "0,4,,,,50.0,8.0\n"
        "0,4,,6.5,,,\n"
    )
    drawn = panels(path)
    assert set(drawn) == {"learning rate", "loss", "f1@10"}
    assert lines(drawn["loss"]) == {"train": [(1, 9), (3, 7)], "valid": [(4, 8)]}
    assert lines(drawn["f1@10"]) == {"valid": [(4, 50)]}
    assert [*lines(drawn["learning rate"]).values()] == [[(1, 0.5), (3, 0.25)]]
    assert {text.get_text() for text in drawn["loss"].get_legend().get_texts()} == {"train", "valid"}


def test_a_single_validation_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,valid/loss\n0,4,8.0\n")
    (line,) = panels(path)["loss"].lines
    assert line.get_marker() == "."


def test_a_file_without_metrics_gives_an_empty_picture(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step\n")
    assert panels(path) == {}
    curves(path).savefig(tmp_path / "empty.png")
    assert imread(tmp_path / "empty.png")[..., :3].min() == 1
