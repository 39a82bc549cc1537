from __future__ import annotations

from io import BytesIO

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnnx.tasks.parts.pictures.ribbon import ribbons

NAMES = ["background", "pour", "stir", "never"]
ROWS = {"truth": [0, 0, 1, 1, 1, 2], "prediction": [1, 1, 1, 2, 1, 1]}


def bars(figure: Figure) -> dict[tuple[int, float, float], tuple[float, ...]]:
    """The colour of each bar, by its row, its first frame and its end."""
    found = {}
    for bar in figure.axes[0].patches:
        assert isinstance(bar, Rectangle)
        row = round(bar.get_y() + bar.get_height() / 2)
        found[row, bar.get_x(), bar.get_x() + bar.get_width()] = tuple(bar.get_facecolor())
    return found


def test_each_segment_is_a_bar_in_its_row() -> None:
    found = bars(ribbons(ROWS, NAMES))
    assert set(found) == {(0, 0, 2), (0, 2, 5), (0, 5, 6), (1, 0, 3), (1, 3, 4), (1, 4, 6)}


def test_a_colour_is_a_label() -> None:
    found = bars(ribbons(ROWS, NAMES))
    background, pour, stir = found[0, 0, 2], found[0, 2, 5], found[0, 5, 6]
    assert len({background, pour, stir}) == 3
    assert found[1, 0, 3] == found[1, 4, 6] == pour
    assert found[1, 3, 4] == stir


def test_rows_and_labels_are_named() -> None:
    figure = ribbons(ROWS, NAMES)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["truth", "prediction"]
    top, bottom = axes.transData.transform([(0, 0), (0, 1)])[:, 1]
    assert top > bottom  # the first row is on top
    assert axes.get_xlim() == (0, 6)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["background", "pour", "stir"]
    found = bars(figure)
    colours = [tuple(patch.get_facecolor()) for patch in legend.get_patches()]
    assert colours == [found[0, 0, 2], found[0, 2, 5], found[0, 5, 6]]


def test_many_labels_have_colours_of_their_own() -> None:
    for count in (11, 20, 48):
        found = bars(ribbons({"truth": list(range(count))}, [f"action{n}" for n in range(count)]))
        assert len(set(found.values())) == count


def test_names_are_no_formulas_and_no_window_knows_it() -> None:
    figure = ribbons({"$$": [0], "b_1": [1]}, ["$^$", "_pour"])
    figure.savefig(BytesIO())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["$^$", "_pour"]
    assert pyplot.get_fignums() == []
