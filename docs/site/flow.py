"""How far back untrained cells remember: the picture on the page of each."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from rnnx.core.experiment import Experiment
from rnnx.core.gradient_flow import gradient_flow
from rnnx.core.task import Task

STEPS: Final = 100
WORDS = ("task=memory", "data=adding", f"data.length={STEPS}", "data.train=1", "data.valid=1", "data.test=8")
WIDTH = "cell.hidden_size=64"
DEEP = 1e-12  # below it a curve is not drawn
COLOURED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
GRAY, COLOUR = "#888888", "#00897b"  # seen on a bright page and on a dark one


@cache
def untrained(cell: str) -> tuple[float, ...]:
    """The norm of ``ds_T / ds_t`` against the lag, of a cell with its first weights, seed 1.

    It reads the adding problem of 100 steps, 64 units wide; see :class:`rnnx.core.gradient_flow.Flow`.
    """
    data, task = Experiment.from_words(f"cell={cell}", WIDTH, *WORDS).prepare()
    assert isinstance(task, Task)
    (flow,) = gradient_flow(task, next(iter(data.loader("test"))))
    return tuple(flow.state)


def picture(cell: str, curves: Mapping[str, Sequence[float]]) -> str:
    """A cell's curve among those of all cells, as SVG.

    Args:
        cell: Its name.
        curves: Of all cells, by name.
    """
    style: Any = dict.fromkeys(COLOURED, GRAY) | {"svg.fonttype": "none", "svg.hashsalt": "rnnx"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7, 3.2), layout="constrained")
        axes = figure.subplots()
        for name, curve in curves.items():
            own = name == cell
            axes.plot(
                [value if DEEP < value < math.inf else math.nan for value in curve],
                color=COLOUR if own else GRAY,
                linewidth=2.5 if own else 0.7,
                alpha=1 if own else 0.5,
                zorder=3 if own else 2,
            )
        axes.set(yscale="log", xlabel="lag: steps back", ylabel="gradient of the last state")
        axes.spines[["top", "right"]].set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()
