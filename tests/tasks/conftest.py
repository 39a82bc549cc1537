"""What the tests of tasks share: every installed cell, small; and double precision where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from rnnx.core.options import options_of
from rnnx.core.registry import Plugin, plugins


def small(plugin: Plugin) -> dict[str, Any]:
    """A cell as plain data, six wide where that can be said."""
    width = {"hidden_size": 8} if "hidden_size" in options_of(plugin) else {}
    return {"name": plugin.name, **width}


@pytest.fixture(params=plugins("cell"), ids=lambda plugin: plugin.name)
def cell(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each installed cell, as plain data."""
    return small(request.param)


@pytest.fixture
def doubles() -> Iterator[None]:
    """Numbers of 64 bits, from a seed."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)
