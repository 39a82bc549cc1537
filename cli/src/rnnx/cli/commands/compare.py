"""``rnnx compare``: runs side by side, in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType

from rnnx.cli.arguments import Baseline, Compared, Json, Markdown, Out
from rnnx.cli.fitted import Fitted
from rnnx.cli.screen import choose_one, display, display_json
from rnnx.core.errors import UsageError
from rnnx.core.runs import OUT, find_runs

if TYPE_CHECKING:
    from rnnx.cli.scoreboard import Scoreboard
    from rnnx.core.comparing.comparison import Table

ADVICE = "--metric NAME shows a metric, --csv all"
ORDERS = ("model", "parameters", "seconds")  # besides metrics


def tables(runs: Sequence[str], out: str, baseline: str | None) -> list[Table]:
    """The tables of runs.

    Args:
        runs: As of :func:`rnnx.core.runs.find_runs`; all in ``out`` if there are none.
        out: The folder that holds runs.
        baseline: See :func:`rnnx.core.comparing.comparison.compare`.

    Raises:
        UsageError: there is no such run, none at all, or no such row.
        InputError: the configuration of one is not what a run writes.
    """
    folders = find_runs(runs, out)
    if not folders:
        raise UsageError(f"RUN...: expected runs to compare, and there are none yet in {out}")

    from rnnx.core.comparing.comparison import compare
    from rnnx.core.comparing.record import Record

    return compare([Record.read(folder) for folder in folders], baseline)


def compare(
    runs: Compared = None,
    out: Out = OUT,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="A metric to show, such as bleu or valid/loss; may be said again."),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="What rows are sorted by: a metric, model, parameters or seconds.")
    ] = None,
    baseline: Baseline = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for a spreadsheet.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Write a table in LaTeX, for a paper.")] = False,
) -> None:
    """Compare runs, those that differ in nothing but their seed in one row.

    rnnx compare lm-gru-1 lm-gru-2 lm-lstm-1 lm-lstm-2 --metric perplexity --latex
    """
    choose_one(json=as_json, markdown=as_markdown, csv=as_csv, latex=as_latex)
    found = tables(runs or (), out, baseline)

    from rnnx.cli import scoreboard
    from rnnx.core.comparing.comparison import chosen

    asked = chosen(found, metrics or ())
    if sort:
        key = sort if sort in ORDERS else chosen(found, [sort])[0]
        found = [one.by(key) for one in found]
    boards = [scoreboard.Scoreboard.of(one, asked or one.test_metrics) for one in found]
    if as_json:
        display_json(scoreboard.as_plain(boards))
    elif as_markdown:
        typer.echo(scoreboard.as_markdown(boards), nl=False)
    elif as_csv:
        typer.echo(scoreboard.as_csv(boards), nl=False)
    elif as_latex:
        typer.echo(scoreboard.as_latex(boards), nl=False)
    else:
        display(Group(*(part for board in boards for part in _shown(board))))


def _shown(board: Scoreboard) -> list[RenderableType]:
    rows = [board.cells(row) for row in board.table.rows]
    return [board.title, Fitted(board.headings, rows, board.spare, ADVICE), *board.notes, ""]
