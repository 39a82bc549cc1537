"""``rnnx push``: a model onto Hugging Face's hub."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnx.cli.arguments import Out, RunName
from rnnx.core.runs import OUT, find_run


def push(
    run: RunName,
    repository: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make it one that only its owner sees.")] = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.", show_default="rnnx push")] = None,
    out: Out = OUT,
) -> None:
    """Upload a model with its card to Hugging Face's hub; the token is that of hf auth login, or HF_TOKEN.

    rnnx push nmt-gru me/spanish-english --private
    """
    folder = find_run(run, out)

    from rnnx.core.exporting import hub
    from rnnx.core.run import Run

    typer.echo(hub.push(Run.load(folder), repository, private=private, message=message))
