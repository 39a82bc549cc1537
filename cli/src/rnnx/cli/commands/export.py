"""``rnnx export``: a model by itself, for others."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

import typer

from rnnx.cli.arguments import Out, RunName
from rnnx.core.paths import typed
from rnnx.core.runs import OUT, find_run

SUFFIX = ".onnx"


def export(
    run: RunName,
    target: Annotated[
        str, typer.Argument(metavar="FOLDER_OR_FILE", help=f"What is to be written; *{SUFFIX} is ONNX.")
    ],
    format: Annotated[
        Literal["safetensors", "onnx"] | None,
        typer.Option(help="Of the weights.", show_default=f"onnx if the name ends in {SUFFIX}"),
    ] = None,
    out: Out = OUT,
) -> None:
    """Write a model into a folder of its own, with a card, or what reads and classifies into an ONNX file.

    rnnx export sentiment-gru sentiment-gru.onnx
    """
    folder, path = find_run(run, out), typed(target)
    as_onnx = path.suffix == SUFFIX if format is None else format == "onnx"

    from rnnx.core.run import Run

    model = Run.load(folder)
    if as_onnx:
        from rnnx.core.exporting import onnx_file

        difference = onnx_file.write(model, path)
        made = model.task.graph().output
        typer.echo(f"{path}: {made} of inputs and lengths, equal to the model's within {difference:.1g}")
    else:
        from rnnx.core.exporting import exported

        exported.write(model, path)
        typer.echo(f"{path}: rnnx predict {shlex.quote(str(path))}")
