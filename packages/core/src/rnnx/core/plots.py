"""The picture of a run's history."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure


def curves(path: Path) -> Figure:
    """Every metric of a ``metrics.csv`` against the step.

    Training and validation of one metric share a panel.

    Args:
        path: The file.

    Returns:
        A figure of its own, bound to no window.
    """
    panels: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name not in ("step", "epoch"):
                    split, _, metric = name.rpartition("/")
                    if split != "test":
                        panels[metric.replace("_", " ")][split].append((float(row["step"]), float(value)))
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
        if any(lines):
            axes.legend()
    return figure
