"""``rnnx sweep``: searches options, a line a trial, and the table of the best."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Group

from rnnx.cli.arguments import Jobs, Json, LauncherName, Markdown, Storage, SweepWords
from rnnx.cli.screen import (
    choose_one,
    command_line,
    display,
    display_json,
    gone_on_with,
    in_markdown,
    say,
    table,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.sweeps.sweep import Outcome, Sweep

BEST = 10  # rows of the table


def line(sweep: Sweep, outcome: Outcome) -> str:
    """What became of a trial, in one line."""
    values = " ".join(f"{key}={text}" for key, text in outcome.values.items())
    score = f", valid {sweep.metric} {outcome.score}" if outcome.score else ""
    failure = f": {outcome.failure}" if outcome.failure else ""
    return f"trial {outcome.number} ({values}) {outcome.state}{score}{failure}"


def told(sweep: Sweep, outcomes: Sequence[Outcome]) -> RenderableType:
    """The best trials, how many there are, and the words of the best one."""
    best = _again(sweep, outcomes)
    lines = ["", _counted(outcomes), *([f"best: {best}"] if best else [])]
    return Group(table(*_table(sweep, outcomes)), *lines)


def markdown(sweep: Sweep, outcomes: Sequence[Outcome]) -> str:
    """The best trials, in Markdown."""
    return in_markdown(*_table(sweep, outcomes))


def plain(sweep: Sweep, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All trials, as JSON knows them, the best first."""
    from rnnx.core.sweeps.sweep import ranked

    return {
        "study": sweep.name,
        "metric": sweep.metric,
        "mode": sweep.mode,
        "seeds": list(sweep.seeds),
        "trials": [outcome.to_plain() for outcome in ranked(outcomes, sweep.mode)],
        "best": _again(sweep, outcomes),
    }


@gone_on_with()
def sweep(
    words: SweepWords = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="How many in all.", show_default="20, or the whole grid")
    ] = None,
    sampler: Annotated[
        Literal["tpe", "random", "grid"], typer.Option(help="How values are chosen; tpe is Bayesian.")
    ] = "tpe",
    pruner: Annotated[
        Literal["median", "hyperband", "none"], typer.Option(help="Which trials are stopped early.")
    ] = "median",
    storage: Storage = None,
    name: Annotated[
        str | None, typer.Option(metavar="STUDY", help="Name of the study.", show_default="TASK-sweep")
    ] = None,
    jobs: Jobs = 1,
    launcher: LauncherName = "local",
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Search for the best options, over seeds; the same command goes on where it was stopped.

    rnnx sweep task=lm cell=gru,lstm optimizer.lr=loguniform:1e-4..1e-2 net.layers=int:1..3 seed=1,2,3
    """
    choose_one(json=as_json, markdown=as_markdown)
    from rnnx.core.sweeps.sweep import Sweep, run

    plan = Sweep.parse(
        words or (),
        trials=trials,
        sampler=sampler,
        pruner=pruner,
        storage=storage,
        name=name,
        launcher=launcher,
        command=command_line(),
    )
    outcomes = []
    with redirect_stdout(sys.stderr):  # where Ray says that a worker died
        for outcome in run(plan, jobs):
            outcomes.append(outcome)
            say(f"{len(outcomes)} of {plan.trials}: {line(plan, outcome)}")
    if as_json:
        display_json(plain(plan, outcomes))
    elif as_markdown:
        typer.echo(markdown(plan, outcomes))
    else:
        display(told(plan, outcomes))
    if not any(outcome.state == "complete" for outcome in outcomes):
        raise typer.Exit(1)


def _table(sweep: Sweep, outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
    from rnnx.core.sweeps.sweep import ranked

    keys = list(sweep.space.searched)
    columns = ["trial", "state", f"valid {sweep.metric}", *keys, "folder"]
    best = ranked(outcomes, sweep.mode)[:BEST]
    rows = [
        [
            str(one.number),
            one.state,
            one.score,
            *(one.values.get(key, "") for key in keys),
            one.failure or str(one.folders[0]),
        ]
        for one in best
    ]
    return columns, rows


def _counted(outcomes: Sequence[Outcome]) -> str:
    from rnnx.core.sweeps.sweep import STATES

    states = [outcome.state for outcome in outcomes]
    counts = [f"{states.count(state)} {state}" for state in STATES.values() if state in states]
    return f"{len(outcomes)} trials: {', '.join(counts)}"


def _again(sweep: Sweep, outcomes: Sequence[Outcome]) -> str | None:
    """The command that does the best trial's first run again; None where no trial is complete."""
    from rnnx.core.sweeps.sweep import ranked

    best = next((one for one in ranked(outcomes, sweep.mode) if one.state == "complete"), None)
    return shlex.join(["rnnx", "run", *best.words]) if best else None
