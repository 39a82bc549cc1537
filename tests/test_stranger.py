"""A cell that somebody else wrote, in a distribution of its own, on every task; nothing of rnnx is edited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

PROJECT = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "{name}"
    version = "{version}"

    [project.entry-points."rnnx.cells"]
    {entries}

    [tool.hatch.build.targets.wheel]
    include = ["{module}.py"]
"""
MGU = '''
    """The minimal gated unit: one gate that both forgets and resets (Zhou et al. 2016)."""

    import torch
    from rnnx.core.cell import Cell
    from torch import nn


    class MGU(Cell):
        """Minimal gated unit.

        Args:
            hidden_size: Width of the state.
            forget_bias: What is added to the gate before the sigmoid.
        """

        def __init__(self, input_size: int, *, hidden_size: int = 128, forget_bias: float = 0.5) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
            self.forget_bias = forget_bias
            self.gate = nn.Linear(input_size + hidden_size, hidden_size)
            self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

        def step(self, z, state):
            (h,) = state
            f = torch.sigmoid(self.gate(torch.cat((z, h), -1)) + self.forget_bias)
            h = h + f * (torch.tanh(self.candidate(torch.cat((z, f * h), -1))) - h)
            return h, (h,)
'''
FRAGILE = """
    import torch
    from rnnx.core.cell import Cell


    class Fragile(Cell):
        def __init__(self, input_size: int, *, hidden_size: int = 8) -> None:
            super().__init__()
            self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)

        def step(self, z, state):
            if len(z) > 3:
                raise ValueError("too many rows")
            return state[0], state
"""
SMALL = (
    "cell.hidden_size=12",
    "task.embedding_size=12",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "logger=csv",
)

Rnnx = Callable[..., "subprocess.CompletedProcess[str]"]


def _install(
    site: Path, sources: Path, name: str, version: str, module: str, source: str, **cells: str
) -> None:
    """Builds a distribution and installs it with pip, as a stranger would, into a folder of its own."""
    folder = sources / name
    folder.mkdir(parents=True)
    entries = "\n    ".join(f'{cell} = "{module}:{target}"' for cell, target in cells.items())
    text = PROJECT.format(name=name, version=version, module=module, entries=entries)
    (folder / "pyproject.toml").write_text(dedent(text))
    (folder / f"{module}.py").write_text(dedent(source))
    pip = (sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run([*pip, "--target", str(site), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _rnnx(site: Path, folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnx.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        input=stdin,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a stranger's distributions are installed: a good one, a broken one, and one that takes a name."""
    folder = tmp_path_factory.mktemp("stranger")
    broken = "import a_library_that_is_not_installed\n\n\nclass Broken:\n    pass\n"
    _install(folder / "site", folder, "zhou-cells", "2.5", "zhou_cells", MGU, mgu="MGU")
    _install(folder / "site", folder, "half-done", "0.1", "half_done", broken, wip="Broken")
    _install(folder / "site", folder, "fragile-cells", "0.2", "fragile", FRAGILE, fragile="Fragile")
    _install(folder / "site", folder, "better-gru", "3.0", "better_gru", MGU, gru="MGU")
    return folder / "site"


@pytest.fixture
def rnnx(site: Path, tmp_path: Path) -> Rnnx:
    """The command line, where those are installed."""
    return lambda *words, stdin="": _rnnx(site, tmp_path, *words, stdin=stdin)


def test_they_are_listed_with_their_distributions_and_their_troubles(rnnx: Rnnx) -> None:
    done = rnnx("list", "cells", "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["name"], row["distribution"]): row for row in json.loads(done.stdout)}
    assert rows["mgu", "zhou-cells"]["version"] == "2.5"
    assert rows["mgu", "zhou-cells"]["trouble"] is None
    assert "inimal gated unit" in rows["mgu", "zhou-cells"]["summary"]
    assert "a_library_that_is_not_installed" in rows["wip", "half-done"]["trouble"]
    assert "rnnx-cells" in rows["gru", "better-gru"]["trouble"]
    assert "better-gru" in rows["gru", "rnnx-cells"]["trouble"]
    assert rows["lstm", "rnnx-cells"]["trouble"] is None


def test_its_own_option_is_shown(rnnx: Rnnx) -> None:
    done = rnnx("show", "cell", "mgu")
    assert done.returncode == 0, done.stderr
    for expected in ("forget_bias", "a number", "0.5", "added to the gate before the sigmoid", "zhou-cells"):
        assert expected in done.stdout


def result(folder: Path) -> dict[str, Any]:
    assert "forget_bias: 1.0" in (folder / "config.yaml").read_text()
    values: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return values


def test_it_translates(rnnx: Rnnx, tmp_path: Path) -> None:
    sizes = ("data.train=64", "data.valid=8", "data.test=8", "task.max_length=10")
    done = rnnx("run", "cell=mgu", "task=nmt", "cell.forget_bias=1", *sizes, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "bleu" in result(tmp_path / "runs" / "nmt-mgu")["test"]
    predicted = rnnx("predict", "nmt-mgu", stdin="una casa\nla casa\n")
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout.count("\n") == 2


def test_it_models_language(rnnx: Rnnx, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the sun shines on the sea and the sea shines on the sun\n" * 30)
    data = ("data=files", "data.text=text.txt", "data.batch_size=4")
    done = rnnx("run", "cell=mgu", "task=lm", "cell.forget_bias=1", *data, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "perplexity" in result(tmp_path / "runs" / "lm-mgu")["test"]


def test_a_cell_that_cannot_be_imported_is_an_error_with_its_distribution_and_the_cause(
    rnnx: Rnnx, tmp_path: Path
) -> None:
    done = rnnx("run", "cell=wip", "task=nmt")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    for expected in ("'wip'", "'half-done'", "a_library_that_is_not_installed"):
        assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_it_is_told_with_its_distribution_and_line(rnnx: Rnnx) -> None:
    done = rnnx("run", "cell=fragile", "task=nmt", *SMALL)
    assert done.returncode == 1
    line = 1 + dedent(FRAGILE).splitlines().index('            raise ValueError("too many rows")')
    where = f"distribution 'fragile-cells' 0.2 fails at fragile.py:{line}"
    told = f"rnnx: {where}: ValueError: too many rows (use --debug for the traceback)"
    assert told in done.stderr.splitlines()


def test_a_name_that_two_distributions_offer_is_refused_by_both_names(rnnx: Rnnx, tmp_path: Path) -> None:
    done = rnnx("run", "cell=gru", "task=nmt")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    for expected in ("'gru'", "'rnnx-cells'", "'better-gru'"):
        assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_option_of_it_is_told_with_a_suggestion(rnnx: Rnnx) -> None:
    done = rnnx("run", "cell=mgu", "cell.forget_bais=1")
    assert done.returncode == 2
    assert "cell.forget_bais: no such option of cell 'mgu'; did you mean 'forget_bias'?" in done.stderr
