"""What holds in every test: no network, no window, no colour, one thread for each process; and a browser."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

os.environ |= {
    "WANDB_MODE": "offline",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "TRITON_INTERPRET": "1",  # before Triton is imported, which then needs no GPU
    "NO_COLOR": "1",
    "COLUMNS": "100",
    "OMP_NUM_THREADS": "1",
}

UNROLLING = "core/unrolling/kernels"
TRITON = ["test_formulas.py", "test_kernel.py", "test_source.py", "test_use.py", "for_gpus.py"]
KERNELS = [*(f"{UNROLLING}/{name}" for name in TRITON), "cells/test_kernels.py"]
C = ["test_compiler.py", "test_loops.py", "test_mathematics.py", "test_native.py", "test_products.py"]
NATIVE = [*(f"{UNROLLING}/{name}" for name in C), "core/unrolling/test_functions.py", "cells/test_native.py"]
collect_ignore = [
    *([] if sys.platform == "linux" else KERNELS),  # Triton is there for Linux alone
    *([] if shutil.which("cc") else NATIVE),
]


def pytest_configure(config: pytest.Config) -> None:
    """One compiler for all processes of the tests, which compiles each text in C once."""
    named = os.environ.get("CC", "cc")
    if "PYTEST_XDIST_WORKER" not in os.environ and shutil.which((shlex.split(named) or [""])[0]):
        folder = tempfile.mkdtemp(prefix="rnnx-compiled-")
        config.add_cleanup(lambda: shutil.rmtree(folder))
        script = str(Path(__file__).with_name("kept_cc.sh"))
        os.environ["CC"] = f"{shlex.join(['sh', script, folder])} {named}"


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder with programs that start at once; see ``docs/warm.py``."""
    from tests.docs import warm

    with tempfile.TemporaryDirectory() as folder, warm.programs(Path(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module; each of them has the mark ``browser``."""
    from tests.browser import browser

    with browser() as started:
        yield started


@pytest.fixture
def problems() -> list[str]:
    """What went wrong on ``page``; a test that wants something to go wrong clears it."""
    return []


@pytest.fixture
def page(browser: Browser, problems: list[str]) -> Iterator[Page]:
    """A page in a fresh profile; an error on it, or a request that leaves this machine, fails the test."""
    from tests.browser import watch

    with browser.new_context() as context:
        watch(context, problems)
        yield context.new_page()
    assert not problems
