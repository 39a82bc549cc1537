"""What ``rnnx matrix`` says: a line a run, and the table of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rnnx.cli.screen import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.matrix import Entry, Line

COLUMNS = ("task", "cell", "metric", "test", "parameters", "minutes")


def line(entry: Entry) -> str:
    """What became of a run, in one line."""
    if entry.values is None:
        return f"{entry.folder}: {entry.failure}"
    return f"{entry.folder}: test {entry.metric} {entry.values['test'][entry.metric]:.4g}"


def compared(lines: Sequence[Line], as_grid: bool = False) -> RenderableType:
    """The table, for the terminal; as a grid with a row a cell and a column a task."""
    return table(*(_grid(lines) if as_grid else (COLUMNS, _rows(lines))))


def markdown(lines: Sequence[Line], as_grid: bool = False) -> str:
    """The table, in Markdown."""
    return in_markdown(*(_grid(lines) if as_grid else (COLUMNS, _rows(lines))))


def in_markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Any table, in Markdown.

    Example:
        >>> print(in_markdown(["a", "b"], [["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows))


def _rows(lines: Sequence[Line]) -> Iterator[tuple[str, ...]]:
    for one in lines:
        yield (
            one.task,
            one.cell,
            one.metric,
            one.score,
            f"{one.parameters:,}" if one.scores else "",
            f"{one.seconds / 60:.1f}" if one.scores else "",
        )


def _grid(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """The test scores, and the minutes of training; what failed says so."""
    found = {(one.cell, one.task): one for one in lines}
    tasks = {one.task: one.metric for one in lines}
    rows = [
        [cell, *(_square(found[cell, task]) if (cell, task) in found else "" for task in tasks)]
        for cell in dict.fromkeys(one.cell for one in lines)
    ]
    return ["cell", *(f"{task}: {metric} (minutes)" for task, metric in tasks.items())], rows


def _square(line: Line) -> str:
    return f"{line.score} ({line.seconds / 60:.1f})" if line.scores else "failed"
