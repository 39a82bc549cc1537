"""``rnnx push``: a model onto Hugging Face's hub."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnx.cli.arguments import ModelName, Out
from rnnx.core.runs import OUT, find_model


def push(
    run: ModelName,
    repository: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make it one that only its owner sees.")] = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.", show_default="rnnx push")] = None,
    out: Out = OUT,
) -> None:
    """Upload a model with its card to Hugging Face's hub; the token is that of hf auth login, or HF_TOKEN.

    rnnx push nmt-gru me/spanish-english --private
    """
    model = find_model(run, out)

    from rnnx.core.exporting import hub
    from rnnx.core.run import Run

    typer.echo(hub.push(Run.load(model), repository, private=private, message=message))
