from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from rnnx.core.benchmark import SETTINGS, Timing
from rnnx.core.errors import RunError, UsageError
from rnnx.core.gradient_flow import Flow
from rnnx.core.plots import curves, gradient_flow, heat_map, ratios, save
from rnnx.core.sweeps.entries import Line


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


def test_a_metric_may_have_a_slash_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,valid/f1_artist/author,test/f1_artist/author\n0,4,50.0,\n0,4,,40.0\n")
    drawn = panels(path)
    assert set(drawn) == {"f1 artist/author"}
    assert lines(drawn["f1 artist/author"]) == {"valid": [(4, 50)]}


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


def flow(layer: str, loss: list[float], state: list[float]) -> Flow:
    return Flow(layer, loss, state, None, 0.5, 0.5, None, None)


def drawn(axes: Axes) -> dict[str, list[float]]:
    """The heights of each layer's line, without what is left out."""
    return {
        str(line.get_label()): [height for height in line.get_ydata() if not math.isnan(height)]
        for line in axes.get_legend_handles_labels()[0]
    }


def test_gradients_are_a_line_a_layer_on_logarithmic_axes_that_differs_without_colours() -> None:
    flows = [flow("a", [4.0, 2.0], [1.0, 0.5]), flow("b_$x", [3.0], [1.0]), flow("c", [2.0, 8.0], [1.0, 0.1])]
    figure = gradient_flow(flows)
    gradient, memory = figure.axes
    assert drawn(gradient) == {flow.layer: flow.loss for flow in flows}
    assert drawn(memory) == {flow.layer: flow.state for flow in flows}
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    dashes = [[line.get_linestyle() for line in axes.lines[:3]] for axes in figure.axes]
    assert dashes[0] == dashes[1]
    assert len(set(dashes[0])) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b_$x", "c"]
    assert memory.lines[-1].get_ydata()[0] == pytest.approx(1 / math.e)


@pytest.mark.parametrize(("letters", "columns"), [(1, 3), (40, 2), (60, 1)])
def test_the_names_of_lines_are_within_the_picture(letters: int, columns: int) -> None:
    figure = gradient_flow([flow(f"{'n' * letters}{number}", [1.0, 0.5], [1.0, 0.5]) for number in range(5)])
    (legend,) = figure.legends
    figure.draw_without_rendering()
    place = legend.get_window_extent()
    assert 0 <= place.x0 < place.x1 <= figure.bbox.width
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == columns
    plots = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert 0 <= place.y0 < place.y1 <= plots


def test_a_curve_that_falls_for_ever_does_not_flatten_the_others() -> None:
    figure = gradient_flow([flow("deep", [1e-3, 1e-200], [1.0, 1e-200]), flow("near", [2.0], [1.0])])
    for axes, top in zip(figure.axes, (2.0, 1.0), strict=True):
        low, high = axes.get_ylim()
        assert low == pytest.approx(top * 0.5e-12)
        assert high > top
    low, high = gradient_flow([flow("a", [0.5, 0.25], [1.0, 0.5])]).axes[0].get_ylim()
    assert 0.1 < low < 0.25 < 0.5 < high < 2


def test_a_lag_and_a_step_are_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss\n0,1,9.0\n0,2,8.0\n0,3,7.0\n")
    for figure in (gradient_flow([flow("a", [1.0] * 20, [1.0] * 20)]), curves(path)):
        figure.draw_without_rendering()
        for axes in filter(Axes.get_visible, figure.axes):
            assert all(tick == round(tick) for tick in axes.get_xticks())


def test_what_is_zero_or_no_number_is_left_out(tmp_path: Path) -> None:
    flows = [flow("a", [1.0, 0.0, math.nan], [1.0, math.inf, 0.5]), flow("b", [math.nan], [0.0])]
    figure = gradient_flow(flows)
    assert [drawn(axes) for axes in figure.axes] == [{"a": [1.0], "b": []}, {"a": [1.0, 0.5], "b": []}]
    figure.savefig(tmp_path / "flow.png")
    gradient_flow(flows[1:]).savefig(tmp_path / "flow.png")


def test_one_step_is_seen(tmp_path: Path) -> None:
    for axes in gradient_flow([flow("a", [1.0], [1.0])]).axes:
        assert axes.lines[0].get_marker() == "."
    assert gradient_flow([flow("a", [1.0] * 20, [1.0] * 20)]).axes[0].lines[0].get_marker() == "None"


def test_ratios_are_a_panel_a_mode_and_a_row_a_cell(tmp_path: Path) -> None:
    timings = [
        Timing(cell, twin, SETTINGS[setting], threads, "equal", mode, ours, (2.0, 2.0, 2.0), 1, 1)
        for mode in ("training", "inference")
        for setting, threads, cell, twin, ours in (
            ("a", 1, "mgu", "nn.LSTM", (1.0, 2.0, 5.0)),
            ("a", 1, "gru", "nn.GRU", (6.0, 6.0, 6.0)),
            ("b", 2, "gru", "nn.GRU", (8.0, 9.0, 7.0)),
        )
    ]
    figure = ratios(timings[:-1])
    assert [axes.get_title() for axes in figure.axes] == [
        "training, equal lengths",
        "inference, equal lengths",
    ]
    training, inference = figure.axes
    assert [label.get_text() for label in training.get_yticklabels()] == ["gru / nn.GRU", "mgu / nn.LSTM"]
    drawn = [container.lines[0].get_xydata().tolist() for container in training.containers]
    assert [[(x, round(y)) for x, y in points] for points in drawn] == [[(1, 1), (3, 0)], [(4, 0)]]
    spread = training.containers[0].lines[2][0].get_segments()
    assert [[x for x, _ in segment] for segment in spread] == [[0.75, 1.75], [3, 3]]  # of 0.5, 1, 2.5
    assert len(inference.containers[1].lines[0].get_xydata()) == 0
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["a, 1 thread", "b, 2 threads"]
    save(figure, tmp_path / "ratios.png")


def test_a_picture_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    figure = gradient_flow([])
    for name, beginning in (("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a", b"\x89PNG")):
        path = tmp_path / "plots" / name
        save(figure, path)
        assert path.read_bytes().startswith(beginning)
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["a", "a.pdf", "a.png"]


def test_a_picture_of_no_format_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.txt: expected a picture's name, its ending one of .*, png, "):
        save(gradient_flow([]), tmp_path / "plots" / "a.txt")
    assert not list(tmp_path.iterdir())


def test_a_picture_that_finds_no_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("a file")
    with pytest.raises(RunError, match="plots: the folder could not be made: "):
        save(gradient_flow([]), tmp_path / "plots" / "a.png")


def test_a_heat_map_ranks_each_task_by_its_own_metric() -> None:
    lines = [
        Line("lm", "gru", "perplexity", "min", (100.0, 102.0), 9, 1.0, ()),
        Line("lm", "elman", "perplexity", "min", (121.0,), 9, 1.0, ()),
        Line("lm", "lstm", "perplexity", "min", (106.0,), 9, 1.0, ()),
        Line("lm", "rhn", "perplexity", "min", (math.inf,), 9, 1.0, ()),
        Line("ner", "gru", "f1", "max", (70.0,), 9, 1.0, ()),
        Line("ner", "elman", "f1", "max", (), 0, 0.0, ("no memory",)),
        Line("ner", "lstm", "f1", "max", (90.0,), 9, 1.0, ()),
    ]
    (axes,) = heat_map(lines).axes
    (image,) = axes.images
    shades = image.get_array()
    assert shades is not None
    perplexities, f1s = shades.filled(math.nan).T.tolist()
    assert perplexities == [1, 0, 0.75, 0]  # lstm is 15 of the 20 below elman
    assert f1s == pytest.approx([0, math.nan, 1, math.nan], nan_ok=True)
    said = {text.get_position(): text.get_text() for text in axes.texts}
    assert said[0, 0] == "101.0 ± 1.4"
    assert (said[1, 1], (1, 3) in said) == ("failed", False)
    assert {text.get_text() for text in axes.texts if text.get_weight() == "bold"} == {"101.0 ± 1.4", "90.00"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lm\nperplexity", "ner\nf1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gru", "elman", "lstm", "rhn"]


def test_a_heat_map_of_options_ranks_each_kind_of_data_by_itself() -> None:
    lines = [
        Line(
            "memory", "gru", "loss", "min", (loss,), 9, 1.0, (), {"net.layers": layers, "data.length": length}
        )
        for layers, length, loss in ((1, 20, 1.0), (2, 20, 2.0), (1, 50, 9.0), (2, 50, 8.0))
    ]
    (axes,) = heat_map(lines).axes
    shades = axes.images[0].get_array()
    assert shades is not None
    assert shades.filled(math.nan).tolist() == [[1, 0], [0, 1]]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "memory length=20\nloss",
        "memory length=50\nloss",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gru layers=1", "gru layers=2"]
