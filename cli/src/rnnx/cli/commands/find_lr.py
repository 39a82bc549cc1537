"""``rnnx find-lr``: finds a learning rate."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from rnnx.cli.arguments import Json, Plot, Words
from rnnx.cli.screen import display_json
from rnnx.core.resolution import resolve


def find_lr(
    words: Words = None,
    lowest: Annotated[float, typer.Option(help="The learning rate at the first step.")] = 1e-6,
    highest: Annotated[float, typer.Option(help="That at the last step.")] = 1.0,
    steps: Annotated[int, typer.Option(min=20, help="How many.")] = 100,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Find a learning rate: train some steps, each with a higher one; nothing is kept.

    rnnx find-lr cell=gru task=nmt
    """
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # of Lightning's bar; tqdm reads it as it is imported
    config = resolve(words or ())

    from rnnx.core.experiment import Experiment
    from rnnx.core.processes import leads
    from rnnx.core.running.learning_rates import learning_rates

    found = learning_rates(Experiment(config), lowest, highest, steps)
    if not leads():
        return
    if plot is not None:
        from rnnx.core.paths import typed
        from rnnx.core.plots import rate_test, save

        save(rate_test(found.rates, found.losses, found.suggestion), typed(plot))
    if as_json:
        display_json(found)
    elif found.suggestion is None:
        typer.echo(f"the loss falls at no learning rate from {lowest:g} to {highest:g}")
    else:
        typer.echo(f"optimizer.lr={found.suggestion:.2g}")
