"""``rnnx report``: runs side by side, on a page."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnx.cli.arguments import Baseline, Compared, Out
from rnnx.cli.commands.compare import tables
from rnnx.cli.screen import command_line
from rnnx.core.files import make_folder, write_text
from rnnx.core.paths import typed
from rnnx.core.runs import OUT


def report(
    runs: Compared = None,
    file: Annotated[
        str, typer.Option("--file", "-o", metavar="FILE", help="The file to write.")
    ] = "report.html",
    out: Out = OUT,
    baseline: Baseline = None,
) -> None:
    """Write a page that compares runs: scores, curves, samples, configurations; it needs no network.

    rnnx report lm-gru-1 lm-gru-2 lm-lstm-1 lm-lstm-2 -o report.html
    """
    found = tables(runs or (), out, baseline)

    from rnnx.cli.report_page import page

    path = typed(file)
    make_folder(path.parent)
    write_text(path, page(found, command_line()))
    typer.echo(f"{file}: open it in a browser")
