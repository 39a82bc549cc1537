"""Pictures: of a run its history, how gradients flow, how long cells take, and the scores of a matrix."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnx.core.errors import UsageError
from rnnx.core.files import make_folder, replacing
from rnnx.core.running.history import series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rnnx.core.benchmark import Timing
    from rnnx.core.gradient_flow import Flow
    from rnnx.core.sweeps.entries import Line

DPI = 120  # pixels for each inch of a figure's size
DASHES = ("-", "--", "-.", ":")  # that lines can be told apart in print without colours
DEPTH = 1e-12  # how far below its largest value a curve of gradients is drawn


def curves(path: Path) -> Figure:
    """Every metric of a ``metrics.csv`` against the step.

    Training and validation of one metric share a panel.

    Args:
        path: The file.

    Returns:
        A figure of its own, bound to no window.

    Raises:
        InputError: the file is none of rnnx's.
    """
    panels: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(dict)
    for name, points in series(path).items():
        before, slash, after = name.partition("/")
        split, metric = (before, after) if slash else ("", name)
        if split != "test":
            panels[metric.replace("_", " ")][split] = points
    columns = 3
    rows = -(-len(panels) // columns) or 1
    figure = Figure(figsize=(4 * columns, 2.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (metric, lines) in zip(grid.flat, panels.items(), strict=False):
        for split, points in lines.items():
            axes.plot(*zip(*points, strict=True), label=split, marker="." if split == "valid" else None)
        axes.set(title=metric, xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if any(lines):
            axes.legend()
    return figure


def rate_test(rates: Sequence[float], losses: Sequence[float], suggestion: float | None) -> Figure:
    """The loss while the learning rate grows, and the rate to begin with.

    Args:
        rates: Learning rates, rising.
        losses: The training loss at each.
        suggestion: A rate to be marked, if there is one.

    Returns:
        A figure of its own, bound to no window.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses)
    if suggestion is not None:
        axes.axvline(suggestion, color="black", linestyle=":", label=f"optimizer.lr={suggestion:.2g}")
        axes.legend()
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    return figure


def gradient_flow(flows: Sequence[Flow]) -> Figure:
    """The norm of the loss's gradient at the state, and what is left of the state, against the lag.

    A line for each layer; what is zero or not finite is left out.

    Args:
        flows: The layers, of one net or of several.

    Returns:
        A figure of its own, bound to no window.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    gradient, memory = figure.subplots(1, 2)
    for number, flow in enumerate(flows):
        for axes, curve in ((gradient, flow.loss), (memory, flow.state)):
            axes.plot(
                [value if 0 < value < math.inf else math.nan for value in curve],
                color=f"C{number % 10}",
                linestyle=DASHES[number % len(DASHES)],
                marker="." if len(curve) < 20 else None,
                label=flow.layer,
            )
    memory.axhline(1 / math.e, color="gray", linewidth=0.8)
    beside = {"transform": memory.get_yaxis_transform(), "ha": "right", "va": "bottom", "clip_on": True}
    memory.text(1, 1 / math.e, "1/e", **beside)
    gradient.set(title="gradient of the loss", ylabel=r"$\|\partial L / \partial s_t\|$")
    memory.set(title="memory of the state", ylabel=r"$\|\partial s_T / \partial s_t\|$")
    for axes, curves in ((gradient, [flow.loss for flow in flows]), (memory, [flow.state for flow in flows])):
        axes.set(xlabel="lag $T - t$")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _scale(axes, [value for curve in curves for value in curve if 0 < value < math.inf])
    columns = next((columns for columns in (3, 2) if _named_below(figure, gradient, columns)), 1)
    _named_below(figure, gradient, columns)
    figure.set_figheight(4 + 0.36 * len(flows) / columns)
    return figure


def _named_below(figure: Figure, axes: Axes, columns: int) -> bool:
    """Names the lines below a figure, in so many columns; whether these are no wider than it."""
    for other in figure.legends[:]:
        other.remove()
    lines, labels = axes.get_legend_handles_labels()
    legend = figure.legend(lines, labels, loc="outside lower center", ncols=columns)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return bool(legend.get_window_extent().width <= figure.bbox.width)


def ratios(timings: Sequence[Timing]) -> Figure:
    """How long cells take next to torch's own, with the middle half of the rounds.

    A panel for each mode and kind of lengths, a row for each cell, a colour for each setting.

    Args:
        timings: What was measured, at least one.

    Returns:
        A figure of its own, bound to no window.
    """
    panels = list(dict.fromkeys((timing.mode, timing.lengths) for timing in timings))
    rows = list(dict.fromkeys(f"{timing.cell} / {timing.twin}" for timing in timings))[::-1]
    series = list(dict.fromkeys((timing.setting.name, timing.threads) for timing in timings))
    size = (3.2 * len(panels) + 2, 1.6 + 0.35 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for (mode, lengths), axes in zip(panels, grid, strict=True):
        for number, (setting, threads) in enumerate(series):
            shown = [
                timing
                for timing in timings
                if (timing.mode, timing.lengths, timing.setting.name, timing.threads)
                == (mode, lengths, setting, threads)
            ]
            middles = [timing.ratio for timing in shown]
            spread = [
                [timing.ratio - timing.quartiles[0] for timing in shown],
                [timing.quartiles[1] - timing.ratio for timing in shown],
            ]
            places = [rows.index(f"{timing.cell} / {timing.twin}") for timing in shown]
            offset = 0.5 * (number + 0.5) / len(series) - 0.25
            axes.errorbar(
                middles,
                [place - offset for place in places],
                xerr=spread,
                fmt="o^sDv"[number % 5],
                label=f"{setting}, {threads} thread{'s'[: threads - 1]}",
            )
        axes.axvline(1, color="gray", linewidth=0.8)
        axes.set(title=f"{mode}, {lengths} lengths", xlabel="time / time of torch's")
    grid[0].set(xlim=(0, None), yticks=range(len(rows)), yticklabels=rows, ylim=(-0.6, len(rows) - 0.4))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def heat_map(lines: Sequence[Line]) -> Figure:
    """The test scores of a matrix, a row for each cell and a column for each task, with what they vary in.

    Scores of several tasks cannot be compared, so a colour says where a score lies between the worst and the
    best of its column, which are the lightest and the darkest; what failed is hatched.

    Args:
        lines: The rows of its table, at least one.

    Returns:
        A figure of its own, bound to no window.
    """
    cells, tasks = (
        list(dict.fromkeys(names)) for names in zip(*((o.model, o.problem) for o in lines), strict=True)
    )
    metrics = {line.problem: line.metric for line in lines}
    ranks = np.full((len(cells), len(tasks)), math.nan)
    figure = Figure(figsize=(2 + 1.5 * len(tasks), 1.2 + 0.45 * len(cells)), layout="constrained")
    axes = figure.subplots()
    for column, task in enumerate(tasks):
        shown = [line for line in lines if line.problem == task]
        for line, rank in zip(shown, _ranks(shown), strict=True):
            ranks[cells.index(line.model), column] = rank
            axes.text(
                column,
                cells.index(line.model),
                line.score if line.scores else "failed",
                ha="center",
                va="center",
                color="white" if rank > 0.7 else "black",
                weight="bold" if rank == 1 else "normal",
            )
    axes.set_facecolor("white")
    axes.patch.set(hatch="///", edgecolor="lightgray")
    axes.imshow(ranks, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    labels = [f"{task}\n{metrics[task]}" for task in tasks]
    axes.set(xticks=range(len(tasks)), xticklabels=labels, yticks=range(len(cells)), yticklabels=cells)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a picture, and makes its folder; see :func:`rnnx.core.files.replacing`.

    Args:
        figure: It.
        path: The file; its ending says the format, by default a PNG.

    Raises:
        UsageError: there is no such format.
        RunError: the disk does not take it.
    """
    chosen = format_of(path)
    make_folder(path.parent)
    with replacing(path) as file:
        figure.savefig(file, format=chosen, dpi=DPI)


def format_of(path: Path) -> str:
    """The format that the name of a picture says by its ending; without one a PNG.

    Raises:
        UsageError: there is no such format.

    Example:
        >>> format_of(Path("heat.svg")), format_of(Path("heat"))
        ('svg', 'png')
        >>> format_of(Path("heat.txt"))
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: heat.txt: expected a picture's name, its ending one of avif, eps, ...
    """
    chosen = path.suffix.removeprefix(".").lower() or "png"
    known = FigureCanvasBase.get_supported_filetypes()
    if chosen not in known:
        raise UsageError(f"{path}: expected a picture's name, its ending one of {', '.join(sorted(known))}")
    return chosen


def _ranks(lines: Sequence[Line]) -> list[float]:
    """Where the scores of one task lie: from 0, worst or not finite, to 1, best; NaN of what failed."""
    sign = 1 if lines[0].mode == "max" else -1
    means = [sign * mean(line.scores) if line.scores else math.nan for line in lines]
    there = [value for value in means if math.isfinite(value)]
    low, high = min(there, default=0.0), max(there, default=0.0)

    def rank(line: Line, value: float) -> float:
        if not math.isfinite(value):
            return 0.0 if line.scores else math.nan
        return (value - low) / (high - low) if high > low else 1.0

    return [rank(line, value) for line, value in zip(lines, means, strict=True)]


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis, cut where a curve is too deep down to be told from zero."""
    axes.set_yscale("log")
    if values:
        axes.set_ylim(bottom=max(min(values), max(values) * DEPTH) / 2, top=max(values) * 2)
