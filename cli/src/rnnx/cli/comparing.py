"""What ``rnnx matrix`` says: a line a run, and the table of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def compared(lines: Sequence[Line]) -> RenderableType:
    """The table, for the terminal."""
    return table(COLUMNS, _rows(lines))


def markdown(lines: Sequence[Line]) -> str:
    """The table, in Markdown."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *_rows(lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


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
