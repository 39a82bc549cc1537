"""What is written to standard output: tables and plain lines, in colour on a terminal only."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

import typer
from pydantic_core import to_json
from rich.console import Console, RenderableType
from rich.table import Table

from rnnx.core.errors import Interrupted, UsageError

WIDE = 10_000  # columns, where there is no terminal: nothing is folded


def choose_one(**asked: bool) -> None:
    """Refuses several forms of one answer, before anything is done for it.

    Args:
        **asked: Whether each is asked for, by the name of its option.

    Raises:
        UsageError: more than one is.

    Example:
        >>> choose_one(json=True, csv=False)
        >>> choose_one(json=True, csv=True)
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: --json, --csv: expected one of them, as there is one answer
    """
    wanted = [f"--{name}" for name, is_asked in asked.items() if is_asked]
    if len(wanted) > 1:
        raise UsageError(f"{', '.join(wanted)}: expected one of them, as there is one answer")


@contextmanager
def gone_on_with() -> Iterator[None]:
    """Has what stops a command say that the same one goes on."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as stop:
        stop.add_note("the same command goes on where it stopped")
        raise


def display(what: RenderableType) -> None:
    """Writes text as it is, folded at the terminal's width, or not at all where there is no terminal."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        console.print(what)
        return
    console.width = WIDE
    with console.capture() as captured:
        console.print(what)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def display_json(what: object) -> None:
    """Writes one JSON document; a number that is infinite or none is null in it."""
    typer.echo(to_json(what, indent=2, inf_nan_mode="null").decode())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], folded: str | None = None) -> Table:
    """Columns without lines around them, one of which is folded on a narrow terminal.

    Args:
        columns: Their headings; none are shown if all are empty.
        rows: The cells, row by row.
        folded: The heading of the column that is; without it the last.
    """
    made = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(columns)
    )
    wide = len(columns) - 1 if folded is None else columns.index(folded)
    for place, column in enumerate(columns):
        made.add_column(column, no_wrap=place != wide, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def in_markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Any table, in Markdown; a ``|`` in a cell has a backslash before it.

    Example:
        >>> print(in_markdown(["a", "b"], [["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [[cell.replace("|", r"\|") for cell in row] for row in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def command_line() -> str:
    """What the user typed."""
    return shlex.join(["rnnx", *sys.argv[1:]])


def say(line: str) -> None:
    """A line beside the answer, on standard error: how a command goes, and what is wrong.

    Where nobody reads there any more, as after ``2>&1 | head``, it goes nowhere, and the command goes on.
    """
    try:
        typer.echo(line, err=True)
    except BrokenPipeError:
        leave(sys.stderr)


def leave(stream: TextIO) -> None:
    """Lets what a stream still holds, and what comes, go nowhere: Python would stumble over it at its end."""
    with suppress(OSError):  # where it is none of the system's
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
