"""Recurrent cells: one cell, one file; and each by its class, as ``from rnnx.cells import GRU``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnx.core.registry import Plugin


def _cells() -> dict[str, Plugin]:
    """The cells here, by their classes' names; none is imported."""
    from rnnx.core.registry import plugins

    here = [plugin for plugin in plugins("cell") if plugin.target.startswith(f"{__name__}.")]
    return {plugin.target.partition(":")[2]: plugin for plugin in here}


def __getattr__(name: str) -> Any:
    cell = _cells().get(name)
    if cell is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return cell.load()


def __dir__() -> list[str]:
    return sorted({*globals(), *_cells()})
