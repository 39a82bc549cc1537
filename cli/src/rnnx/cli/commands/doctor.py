"""``rnnx doctor``: what rnnx finds where it is installed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Group

from rnnx.cli.arguments import Json, Out
from rnnx.cli.screen import display, display_json, table
from rnnx.core.runs import OUT

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rnnx.core.health import Finding


def doctor(out: Out = OUT, as_json: Json = False) -> None:
    """Tell versions, devices, plugins, tracking and the folder of runs, and what is wrong with them.

    rnnx doctor
    """
    from rnnx.core.health import examine

    findings = list(examine(out))
    if as_json:
        display_json(findings)
    else:
        display(told(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def told(findings: Sequence[Finding]) -> RenderableType:
    """What was found, and then what to do."""
    found = table(("area", "what", "found"), [(one.area, one.what, one.value) for one in findings])
    advised = [(f"{one.state}:", f"{one.what}: {one.advice}") for one in findings if one.advice]
    return Group(found, "", table(("", ""), advised) if advised else "all is well")
