"""``rnnx export``: a model by itself, for others."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

import typer

from rnnx.cli.arguments import ModelName, Out
from rnnx.core.paths import typed
from rnnx.core.runs import OUT, find_model

SUFFIX = ".onnx"


def export(
    run: ModelName,
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
    model, path = find_model(run, out), typed(target)
    as_onnx = path.suffix == SUFFIX if format is None else format == "onnx"

    from rnnx.core.run import Run

    loaded = Run.load(model)
    if as_onnx:
        from rnnx.core.exporting import onnx_file

        difference = onnx_file.write(loaded, path)
        made = loaded.task.graph().output
        typer.echo(f"{path}: {made} of inputs and lengths, equal to the model's within {difference:.1g}")
    else:
        from rnnx.core.exporting import exported

        exported.write(loaded, path)
        typer.echo(f"{path}: rnnx predict {shlex.quote(str(path))}")
