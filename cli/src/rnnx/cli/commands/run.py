"""``rnnx run``: trains a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from rnnx.cli.arguments import Json, Words
from rnnx.cli.outcome import tell
from rnnx.cli.screen import command_line, display_json, say
from rnnx.core.resolution import resolve

if TYPE_CHECKING:
    from rnnx.core.task import Task


def run(
    words: Words = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the configuration and the model's size; train nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a model, test it, and keep both in a folder of its own.

    rnnx run cell=gru task=nmt
    """
    config = resolve(words or ())

    from rnnx.core.experiment import Experiment
    from rnnx.core.task import Task

    experiment = Experiment(config)
    if not dry_run:
        tell(experiment.run(command_line(), say=say), as_json)
        return
    _, model = experiment.prepare()
    sizes = parameters(model) if isinstance(model, Task) else {}
    if as_json:
        display_json({"config": experiment.config.to_plain(), "parameters": sizes})
        return
    typer.echo(experiment.config.yaml(), nl=False)
    if sizes:
        typer.echo(told(sizes))


def parameters(model: Task) -> Mapping[str, int]:
    """How many numbers each module has, frozen ones too; what is shared counts once."""
    counts = Counter[str]()
    for name, parameter in model.named_parameters():
        counts[name.partition(".")[0]] += parameter.numel()
    return counts


def told(sizes: Mapping[str, int]) -> str:
    """The numbers of parameters, as comments of YAML.

    Example:
        >>> print(told({"cell": 1200, "output": 30}))
        # parameters: 1,230
        #   cell            1,200
        #   output             30
    """
    width = max(map(len, sizes))
    lines = [f"#   {name:{width}}  {count:>13,}" for name, count in sizes.items()]
    return "\n".join([f"# parameters: {sum(sizes.values()):,}", *lines])
