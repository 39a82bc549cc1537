from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rnnx.cells
from rnnx.core.registry import plugins


def test_every_cell_is_had_by_its_class() -> None:
    own = [plugin for plugin in plugins("cell") if plugin.distribution == "rnnx-cells"]
    assert len(own) == 19
    for plugin in own:
        cell = plugin.load()
        assert getattr(rnnx.cells, cell.__name__) is cell
        assert cell.__name__ in dir(rnnx.cells)
    everything: dict[str, object] = {}
    exec("from rnnx.cells import *", everything)
    assert everything.keys() - {"__builtins__"} == {plugin.load().__name__ for plugin in own}


def test_type_checkers_are_told_where_each_is() -> None:
    """In the imports that they alone read."""
    path = rnnx.cells.__file__
    assert path is not None
    for_types = next(
        node for node in ast.parse(Path(path).read_text("utf-8")).body if isinstance(node, ast.If)
    )
    assert ast.unparse(for_types.test) == "TYPE_CHECKING"
    told = {
        f"{node.module}:{alias.asname or alias.name}"
        for node in for_types.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == {plugin.target for plugin in plugins("cell") if plugin.distribution == "rnnx-cells"}


def test_nothing_else_is_had() -> None:
    with pytest.raises(AttributeError, match=r"module 'rnnx.cells' has no attribute 'Gru'"):
        _ = rnnx.cells.Gru
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        from rnnx.cells import Nothing  # noqa: F401


def test_none_is_imported_before_it_is_asked_for() -> None:
    program = "import sys, rnnx.cells; dir(rnnx.cells); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
