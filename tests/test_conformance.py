"""The shipped conformance checks on every cell and every task that is installed, whoever wrote it."""

from __future__ import annotations

from functools import cache

import pytest

from rnnx.core.registry import Plugin, plugins
from rnnx.core.testing import checks
from rnnx.core.testing.check import Check
from rnnx.core.testing.kit import name_of, problem, subject_of

subject = cache(subject_of)


@pytest.mark.parametrize("check", checks("cell"), ids=name_of)
@pytest.mark.parametrize("plugin", plugins("cell"), ids=lambda plugin: plugin.name)
def test_cell(plugin: Plugin, check: Check) -> None:
    assert problem(check, *subject(plugin)) is None


@pytest.mark.parametrize("check", checks("task"), ids=name_of)
@pytest.mark.parametrize("plugin", plugins("task"), ids=lambda plugin: plugin.name)
def test_task(plugin: Plugin, check: Check) -> None:
    assert problem(check, *subject(plugin)) is None
