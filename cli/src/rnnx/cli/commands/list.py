"""``rnnx list``: every plugin of every installed distribution, also one that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, final

import typer

from rnnx.cli import completion
from rnnx.cli.arguments import Json
from rnnx.cli.equations import readable
from rnnx.cli.screen import display, display_json, table
from rnnx.core.declarations.docstrings import summary
from rnnx.core.errors import RnnxError, RunError, UsageError
from rnnx.core.registry import KINDS, Plugin, plugins, suggestion, trouble

if TYPE_CHECKING:
    from rnnx.core.anatomy import Anatomy

SIZE: Final = 256  # of the cells that are measured, where none is said


@final
@dataclass(frozen=True)
class Row:
    """A plugin as it is listed.

    Args:
        plugin: The plugin.
        summary: The first line of its docstring.
        trouble: Why it cannot be used, or None.
    """

    columns: ClassVar[Sequence[str]] = ("kind", "name", "distribution", "version", "what it is")
    plugin: Plugin
    summary: str
    trouble: str | None

    @property
    def line(self) -> str:
        """What it is, or why it cannot be used."""
        return self.summary if self.trouble is None else f"broken: {self.trouble}"

    @property
    def cells(self) -> tuple[str, ...]:
        """As the columns say."""
        plugin = self.plugin
        return plugin.kind, plugin.name, plugin.distribution, plugin.version, self.line

    def to_plain(self) -> dict[str, Any]:
        """Everything there is to know without an import."""
        return {**asdict(self.plugin), "summary": self.summary, "trouble": self.trouble}


@final
@dataclass(frozen=True)
class CellRow:
    """A recurrent cell as it is listed among cells.

    Args:
        row: As it is listed among everything.
        anatomy: What was measured of it; None if nothing was.
        failure: Why it could not be built; None if it was, or cannot be imported.
    """

    columns: ClassVar[Sequence[str]] = (
        "name",
        "states",
        "parameters",
        "fused",
        "trees",
        "distribution",
        "version",
        "what it is",
    )
    row: Row
    anatomy: Anatomy | None = None
    failure: str | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """As the columns say: the widths of the state's tensors, how its fold makes a tree's node, ..."""
        plugin = self.row.plugin
        line = self.row.line if self.failure is None else f"cannot be built: {self.failure}"
        return plugin.name, *self._measured, plugin.distribution, plugin.version, line

    def to_plain(self) -> dict[str, Any]:
        """The row, and what was measured, null where nothing was."""
        unknown = dict.fromkeys(("states", "parameters", "fused", "composes"))
        measured = unknown if self.anatomy is None else asdict(self.anatomy)
        return {**self.row.to_plain(), "failure": self.failure, **measured}

    @property
    def _measured(self) -> tuple[str, ...]:
        found = self.anatomy
        if found is None:
            return ("",) * 4
        return (
            ", ".join(map(str, found.states)),
            f"{found.parameters:,}",
            "yes" if found.fused else "no",
            "own equations" if found.composes else "sum of children",
        )


def rows(kinds: str | None = None) -> list[Row]:
    """What is installed; nothing is imported.

    Args:
        kinds: ``cells``, ``tasks``, ``data`` ...; None for all.

    Raises:
        UsageError: there are no such kinds.
    """
    if kinds is not None and kinds not in KINDS:
        known = f"(kinds: {', '.join(KINDS)})"
        raise UsageError(f"no such kind of plugin {kinds!r}{suggestion(kinds, KINDS)} {known}")
    chosen = KINDS.values() if kinds is None else [KINDS[kinds]]
    return [_row(plugin) for kind in chosen for plugin in plugins(kind)]


def cell_rows(input_size: int, hidden_size: int) -> list[CellRow]:
    """The cells that are installed, each imported, built and measured; one that fails says so.

    Args:
        input_size: Width of the input.
        hidden_size: Their option of this name, where they have it.
    """
    return [_measured(row, input_size, hidden_size) for row in rows("cells")]


def list_(
    kinds: Annotated[
        str | None,
        typer.Argument(
            metavar="KINDS",
            help="cells, tasks, data ...; fused cells read sequences by a way of their own, as torch's.",
            autocompletion=completion.kinds_listed,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Of cells: the hidden_size they are measured with.", show_default=str(SIZE)),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(min=1, help="Of cells: the width of their input.", show_default="the hidden_size"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is installed, also what cannot be used; of cells also the state, the size and how they read.

    rnnx list cells --size 256
    """
    if kinds != "cells" and (size or input_size):
        raise UsageError("--size and --input-size: only cells are measured; say rnnx list cells")
    size = size or SIZE
    found: Sequence[Row | CellRow] = cell_rows(input_size or size, size) if kinds == "cells" else rows(kinds)
    if as_json:
        display_json([row.to_plain() for row in found])
    else:
        columns = CellRow.columns if kinds == "cells" else Row.columns
        display(table(columns, [row.cells for row in found]))


def _row(plugin: Plugin) -> Row:
    found = trouble(plugin)
    return Row(plugin, readable(summary(plugin)) if found is None else "", found)


def _measured(row: Row, input_size: int, hidden_size: int) -> CellRow:
    from rnnx.core.anatomy import dissect

    if row.trouble is not None:
        return CellRow(row)
    try:
        cell_class = row.plugin.load()
    except RunError as error:
        return CellRow(replace(row, summary="", trouble=_said(error.__cause__ or error)))
    try:
        return CellRow(row, dissect(cell_class, input_size, hidden_size))
    except Exception as error:
        return CellRow(row, failure=_said(error))


def _said(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, RnnxError) else f"{type(error).__name__}: {text}"
