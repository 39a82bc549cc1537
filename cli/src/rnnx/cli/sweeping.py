"""What ``rnnx sweep`` says: a line a trial, and the table of the best."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group

from rnnx.cli.comparing import in_markdown
from rnnx.cli.screen import table
from rnnx.core.sweep import STATES, ranked

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.sweep import Outcome, Sweep

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
    return {
        "study": sweep.name,
        "metric": sweep.metric,
        "mode": sweep.mode,
        "seeds": list(sweep.seeds),
        "trials": [outcome.to_plain() for outcome in ranked(outcomes, sweep.mode)],
        "best": _again(sweep, outcomes),
    }


def _table(sweep: Sweep, outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
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
    states = [outcome.state for outcome in outcomes]
    counts = [f"{states.count(state)} {state}" for state in STATES.values() if state in states]
    return f"{len(outcomes)} trials: {', '.join(counts)}"


def _again(sweep: Sweep, outcomes: Sequence[Outcome]) -> str | None:
    """The command that does the best trial's first run again; None where no trial is complete."""
    best = next((one for one in ranked(outcomes, sweep.mode) if one.state == "complete"), None)
    return shlex.join(["rnnx", "run", *best.words]) if best else None
