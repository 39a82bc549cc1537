"""``rnnx show``: what a component is, where it comes from, and its options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from rnnx.cli import completion
from rnnx.cli.arguments import Json
from rnnx.cli.equations import readable
from rnnx.cli.screen import display, display_json, table
from rnnx.core.config import UNNAMED
from rnnx.core.declarations.aims import aims_of
from rnnx.core.declarations.docstrings import documentation, paper
from rnnx.core.errors import UsageError
from rnnx.core.options import Option, Options, options_of
from rnnx.core.registry import GROUPS, PER_TASK, Plugin, find, plugins, suggestion

KINDS = (*GROUPS, *UNNAMED)
SECTION = re.compile(r"^(Args|Attributes|Example|Examples|Raises|Returns|Yields):$", re.MULTILINE)


@final
@dataclass(frozen=True)
class Description:
    """A component, described.

    Args:
        kind: ``cell``, ``task`` ... or ``net`` or ``trainer``.
        name: Its name; empty where there is one of a kind.
        origin: Its distribution and version; empty where it is rnnx's own.
        paper: The first line of its module: of a cell, the paper.
        documentation: Its docstring as one reads it, without the options.
        options: What the user may set.
        predict: Of a task, the options of ``rnnx predict``.
        monitor: Of a task, the metric that chooses the best model if the user asks for no other; else empty.
        mode: Whether that is to fall, ``min``, or to rise, ``max``; else empty.
    """

    kind: str
    name: str
    origin: str
    paper: str
    documentation: str
    options: Options
    predict: Options
    monitor: str = ""
    mode: str = ""

    def to_plain(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "origin": self.origin,
            "paper": self.paper,
            "documentation": self.documentation,
            "options": [_plain(option) for option in self.options.values()],
            "predict": [_plain(option) for option in self.predict.values()],
            "monitor": self.monitor,
            "mode": self.mode,
        }

    def __rich__(self) -> RenderableType:
        title = Text(f"{self.kind} {self.name}".rstrip(), style="bold")
        if self.origin:
            title.append(f"  ({self.origin})", style="dim")
        return Group(title, self.paper, "", self.documentation, "", *self._tables(), "")

    def _tables(self) -> Iterator[RenderableType]:
        if self.monitor:
            best = "highest" if self.mode == "max" else "lowest"
            yield f"The best model has the {best} {self.monitor}; another metric: checkpoint.monitor=METRIC."
            yield ""
        if self.options:
            yield _table(self.options, f"{self.kind}.")
        if self.predict:
            yield from ("", Text("rnnx predict RUN OPTION=VALUE", style="bold"), _table(self.predict, ""))


def describe(kind: str, name: str | None) -> list[Description]:
    """The component of this name; of data and baselines, one for each task that has it.

    Args:
        kind: One of ``KINDS``.
        name: As the user types it, or ``TASK.NAME``; None where there is one of a kind.

    Raises:
        UsageError: there is none; says which there are.
        RunError: it cannot be read.
    """
    if kind not in KINDS:
        meant = [f"`rnnx show {one} {kind}`" for one in GROUPS if kind in {p.short for p in plugins(one)}]
        hint = f"; did you mean {' or '.join(meant)}?" if meant else suggestion(kind, KINDS)
        raise UsageError(f"no such kind {kind!r}{hint} (kinds: {', '.join(KINDS)})")
    if kind in UNNAMED:
        if name is not None:
            raise UsageError(f"{kind}: there is only one, so it takes no name; got {name!r}")
        return [_described(kind, "", "", UNNAMED[kind])]
    if name is None:
        raise UsageError(f"{kind}: expected a name, one of {', '.join(choices(kind))}")
    return [_described(kind, plugin.name, plugin.origin, plugin) for plugin in _named(kind, name)]


def choices(kind: str) -> list[str]:
    """The names of a kind; of data and baselines with their task."""
    return [plugin.name for plugin in plugins(kind)]


def show(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="cell, task, data ..., or net, trainer, checkpoint, stopping.",
            autocompletion=completion.kinds,
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.named)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a component: its equations, its paper, and every option with type, default and meaning.

    rnnx show cell gru
    """
    descriptions = describe(kind, name)
    if as_json:
        several = kind in PER_TASK and "." not in str(name)
        plain = [description.to_plain() for description in descriptions]
        display_json(plain if several else plain[0])
        return
    for description in descriptions:
        display(description)


def _named(kind: str, name: str) -> list[Plugin]:
    if kind in PER_TASK and "." not in name:
        tasks = [plugin.task for plugin in plugins(kind) if plugin.short == name]
        if not tasks:
            if own := [plugin.name for plugin in plugins(kind) if plugin.task == name]:
                raise UsageError(f"{kind}: {name!r} is a task; expected one of {', '.join(own)}")
            hint = suggestion(name, {plugin.short for plugin in plugins(kind)})
            raise UsageError(f"{kind}: no such {kind} {name!r}{hint} (there are: {', '.join(choices(kind))})")
        return [find(kind, name, task) for task in tasks]
    return [find(kind, name)]


def _described(kind: str, name: str, origin: str, target: Plugin | str) -> Description:
    path = target.target if isinstance(target, Plugin) else target
    aims = aims_of(target) if kind == "task" else None
    return Description(
        kind,
        name,
        origin,
        paper(target),
        readable(SECTION.split(documentation(target), maxsplit=1)[0]).strip(),
        options_of(target),
        options_of(f"{path}.predict") if kind == "task" else {},
        aims.monitor if aims else "",
        aims.mode if aims else "",
    )


def _table(options: Options, prefix: str) -> RenderableType:
    rows = [
        (prefix + option.name, option.expected, _default(option), readable(option.doc))
        for option in options.values()
    ]
    return table(("option", "type", "default", "meaning"), rows)


def _default(option: Option) -> str:
    if option.required:
        return "(required)"
    return option.default if isinstance(option.default, str) else json.dumps(option.default)


def _plain(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "type": option.expected,
        "required": option.required,
        "default": None if option.required else option.default,
        "choices": list(option.choices),
        "doc": readable(option.doc),
    }
