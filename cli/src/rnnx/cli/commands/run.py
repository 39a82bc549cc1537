"""``rnnx run``: trains a model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from rnnx.cli.arguments import Words
from rnnx.cli.outcome import outcome
from rnnx.cli.screen import command_line, display, is_watched, say
from rnnx.core.spec import resolve

if TYPE_CHECKING:
    from rnnx.core.task import Task


def run(
    words: Words = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the configuration and the model's size; train nothing.")
    ] = False,
) -> None:
    """Train a model, test it, and keep both in a folder of its own.

    rnnx run cell=gru task=nmt
    """
    config = resolve(words or ())

    from rnnx.core.experiment import Experiment
    from rnnx.core.processes import leads
    from rnnx.core.task import Task

    if leads():
        for note in config.notes:
            typer.echo(f"rnnx: {note}", err=True)
    experiment = Experiment(config)
    if dry_run:
        _, model = experiment.prepare()
        typer.echo(experiment.config.yaml(), nl=False)
        if isinstance(model, Task):
            typer.echo(size(model))
        return
    result = experiment.run(command_line(), is_watched(), say)
    if leads():
        display(outcome(result))


def size(model: Task) -> str:
    """The trained parameters, those of each module too, as comments of YAML; what is shared counts once."""
    counts = Counter[str]()
    for name, parameter in model.named_parameters():
        counts[name.partition(".")[0]] += parameter.numel()
    width = max(map(len, counts), default=0)
    lines = [f"#   {name:{width}}  {count:>13,}" for name, count in counts.items()]
    return "\n".join([f"# parameters: {counts.total():,}", *lines])
