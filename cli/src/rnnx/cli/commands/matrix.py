"""``rnnx matrix``: each cell on each task, a line a run, and the table of all; several may share one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from rnnx.cli.arguments import Jobs, Json, LauncherName, Markdown, MatrixWords, Plot, Storage
from rnnx.cli.screen import (
    choose_one,
    command_line,
    display,
    display_json,
    gone_on_with,
    in_markdown,
    say,
    table,
)
from rnnx.core.comparing.labels import short, shown
from rnnx.core.paths import typed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.sweeps.entries import Entry, Line


def line(entry: Entry) -> str:
    """What became of a run, in one line."""
    if entry.values is None:
        return f"{entry.folder}: {entry.failure}"
    return f"{entry.folder}: test {entry.metric} {entry.values['test'][entry.metric]:.4g}"


def compared(lines: Sequence[Line], as_grid: bool = False) -> RenderableType:
    """The table, for the terminal; as a grid with a row a cell and a column a task."""
    return table(*_grid(lines)) if as_grid else table(*_plain(lines), folded="test")


def markdown(lines: Sequence[Line], as_grid: bool = False) -> str:
    """The table, in Markdown."""
    return in_markdown(*(_grid(lines) if as_grid else _plain(lines)))


@gone_on_with()
def matrix(
    words: MatrixWords = None,
    jobs: Jobs = 1,
    storage: Storage = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="STUDY", help="Name of the study.", show_default="made from the words"),
    ] = None,
    launcher: LauncherName = "local",
    plot: Plot = None,
    as_grid: Annotated[
        bool, typer.Option("--grid", help="Write a row a cell, and a column a task, with their options.")
    ] = False,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Train each cell on each task, over values of any option, and compare; what is done is left alone.

    rnnx matrix cell=gru,lstm task=memory data=adding data.length=20,50 seed=1,2,3
    """
    choose_one(json=as_json, markdown=as_markdown)
    from rnnx.core.sweeps.entries import lines
    from rnnx.core.sweeps.matrix import Matrix, run

    plan = Matrix.parse(words or (), storage=storage, name=name, launcher=launcher, command=command_line())
    entries = {}
    with redirect_stdout(sys.stderr):  # where Ray says that a worker died
        for entry in run(plan, jobs, say):
            entries[entry.folder.name] = entry
            say(f"{len(entries)} of {len(plan.combinations.configs)}: {line(entry)}")
    found = lines([entries[str(config.name)] for config in plan.combinations.configs])
    if plot is not None:
        from rnnx.core.plots import heat_map, save

        save(heat_map(found), typed(plot))
    if as_json:
        display_json(found)
    elif as_markdown:
        typer.echo(markdown(found, as_grid))
    else:
        display(compared(found, as_grid))
    if any(entry.failure for entry in entries.values()):
        raise typer.Exit(1)


def _plain(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """A row for each line, with a column for each option that is varied."""
    rows = [
        [
            one.task,
            one.cell,
            *map(shown, one.options.values()),
            one.metric,
            one.score,
            f"{one.parameters:,}" if one.scores else "",
            f"{one.seconds / 60:.1f}" if one.scores else "",
        ]
        for one in lines
    ]
    return [
        "task",
        "cell",
        *short(lines[0].options).values(),
        "metric",
        "test",
        "parameters",
        "minutes",
    ], rows


def _grid(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """The test scores, and the minutes of training; what failed says so."""
    found = {(one.model, one.problem): one for one in lines}
    problems = {one.problem: one.metric for one in lines}
    rows = [
        [model, *(_square(found[model, one]) if (model, one) in found else "" for one in problems)]
        for model in dict.fromkeys(one.model for one in lines)
    ]
    return ["cell", *(f"{one}: {metric} (minutes)" for one, metric in problems.items())], rows


def _square(line: Line) -> str:
    return f"{line.score} ({line.seconds / 60:.1f})" if line.scores else "failed"
