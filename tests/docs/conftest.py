"""A desk to run a page's blocks at: an empty folder, with ``rnnx`` on the ``PATH``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import warm


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder with ``rnnx`` and ``python``, which start at once."""
    with tempfile.TemporaryDirectory() as folder, warm.programs(Path(folder)) as found:
        yield found
