from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.listing import rows
from rnnx.core.errors import UsageError

FOREIGN = """
[rnnx.cells]
broken = foreign_broken:Broken
gru = foreign_gru:Gru
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A distribution whose one cell cannot be imported, and whose other has a name that is taken."""
    info = tmp_path / "foreign-7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 7.0\n")
    (info / "entry_points.txt").write_text(FOREIGN)
    (tmp_path / "foreign_broken.py").write_text("import no_such_library\n\nclass Broken: ...\n")
    (tmp_path / "foreign_gru.py").write_text('class Gru:\n    """Mine."""\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


def test_every_kind_is_listed_with_one_line(rnnx):
    done = rnnx("list", "--json")
    listed = {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}
    assert {("cell", "gru"), ("task", "nmt"), ("data", "lm.toy"), ("optimizer", "adam")} <= listed.keys()
    assert {("schedule", "cosine"), ("logger", "none"), ("baseline", "lm.ngram")} <= listed.keys()
    assert all(row["summary"] and row["trouble"] is None for row in listed.values())
    assert listed["cell", "gru"]["distribution"] == "rnnx-cells"
    assert listed["cell", "gru"]["version"] == version("rnnx-cells")


def test_one_kind_is_a_table(rnnx):
    done = rnnx("list", "tasks")
    heading, *lines = done.stdout.splitlines()
    assert heading.split("  ")[0] == "kind"
    assert [line.split()[:4] for line in lines] == [
        ["task", name, "rnnx-tasks", version("rnnx-tasks")] for name in ("lm", "nmt")
    ]


def test_what_cannot_be_used_is_a_row_that_says_why(rnnx, foreign):
    done = rnnx("list", "cells")
    assert done.returncode == 0
    lines = {tuple(line.split()[1:3]): line for line in done.stdout.splitlines()}
    assert lines["broken", "foreign"].endswith(
        "7.0      broken: ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert "broken: also offered by distribution 'rnnx-cells'" in lines["gru", "foreign"]
    assert "broken: also offered by distribution 'foreign' 7.0" in lines["gru", "rnnx-cells"]
    assert "broken" not in lines["lstm", "rnnx-cells"]


def test_what_cannot_be_imported_is_an_error_that_names_its_distribution(foreign, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "cell=broken", "data.train=200"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert not (tmp_path / "runs").exists()
    assert done.stderr == (
        "rnnx: cell 'broken' of distribution 'foreign' 7.0 cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_library'\n"
    )


def test_kinds_are_plural():
    with pytest.raises(UsageError, match=r"^no such kind of plugin 'cell'; did you mean 'cells'\?"):
        rows("cell")
