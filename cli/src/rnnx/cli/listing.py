"""``rnnx list``: every plugin of every installed distribution, also one that cannot be used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, final

from rnnx.cli.equations import readable
from rnnx.core.errors import UsageError
from rnnx.core.options import summary
from rnnx.core.registry import GROUPS, Plugin, plugins, suggestion, trouble

KINDS = {group.removeprefix("rnnx."): kind for kind, group in GROUPS.items()}


@final
@dataclass(frozen=True)
class Row:
    """A plugin as it is listed.

    Args:
        plugin: The plugin.
        summary: The first line of its docstring.
        trouble: Why it cannot be used, or None.
    """

    plugin: Plugin
    summary: str
    trouble: str | None

    @property
    def cells(self) -> tuple[str, ...]:
        """Kind, name, distribution, version and one line."""
        plugin = self.plugin
        line = self.summary if self.trouble is None else f"broken: {self.trouble}"
        return plugin.kind, plugin.name, plugin.distribution, plugin.version, line

    def to_plain(self) -> dict[str, Any]:
        """Everything there is to know without an import."""
        return {**asdict(self.plugin), "summary": self.summary, "trouble": self.trouble}


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


def _row(plugin: Plugin) -> Row:
    found = trouble(plugin)
    return Row(plugin, readable(summary(plugin)) if found is None else "", found)
