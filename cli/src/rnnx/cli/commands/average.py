"""``rnnx average``: the mean of the weights of a run's best models."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from rnnx.cli import completion
from rnnx.cli.arguments import Out
from rnnx.core.runs import OUT


def average(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="A run, for the models that checkpoint.save_top_k has kept of it; or files of checkpoints.",
            autocompletion=completion.models,
        ),
    ],
    out: Out = OUT,
) -> None:
    """Write the mean of the weights of a run's best models, or of checkpoints that you name, as one more.

    rnnx run task=nmt checkpoint.save_top_k=5
    rnnx average nmt-gru
    rnnx test nmt-gru/checkpoints/average.ckpt
    """
    from rnnx.core.running import averaging

    files = averaging.chosen(models, out)
    path = averaging.average(files)
    names = ", ".join(file.stem for file in files)
    typer.echo(f"{path}: the mean of {names}; rnnx test {shlex.quote(str(path))}")
