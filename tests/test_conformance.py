"""The shipped conformance checks on every cell that is installed, whoever wrote it."""

from __future__ import annotations

import pytest

from rnnx.core.registry import Plugin, plugins
from rnnx.core.testing import checks
from rnnx.core.testing.check import Check
from rnnx.core.testing.kit import name_of, problem


@pytest.mark.parametrize("check", checks(), ids=name_of)
@pytest.mark.parametrize("plugin", plugins("cell"), ids=lambda plugin: plugin.name)
def test_conformance(plugin: Plugin, check: Check) -> None:
    assert problem(check, plugin.load()) is None
