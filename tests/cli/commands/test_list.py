from __future__ import annotations

import json
from importlib.metadata import entry_points, version

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.list import rows
from rnnx.core.errors import UsageError

FOREIGN = """
[rnnx.cells]
broken = foreign_broken:Broken
gru = foreign_gru:Gru
late = foreign_late:Late
sevens = foreign_sevens:Sevens
"""
LATE = """
import json

class Late:
    '''Never there.'''

json.loads("{")
"""
SEVENS = """
from rnnx.core.cell import Cell

class Sevens(Cell):
    '''Of seven or nothing.'''

    def __init__(self, input_size: int, *, hidden_size: int = 7) -> None:
        if hidden_size % 7:
            raise ValueError(f"expected a multiple of 7,\\n got {hidden_size}")
        super().__init__()
        self.state_sizes = (hidden_size, 2)

    def step(self, z, state): ...
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A distribution of cells that cannot be used: not imported, taken by name, not of every width."""
    info = tmp_path / "foreign-7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 7.0\n")
    (info / "entry_points.txt").write_text(FOREIGN)
    (tmp_path / "foreign_broken.py").write_text("import no_such_library\n\nclass Broken: ...\n")
    (tmp_path / "foreign_gru.py").write_text('class Gru:\n    """Mine."""\n')
    (tmp_path / "foreign_late.py").write_text(LATE)
    (tmp_path / "foreign_sevens.py").write_text(SEVENS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


def test_every_kind_is_listed_with_one_line(rnnx):
    done = rnnx("list", "--json")
    listed = {(row["kind"], row["name"]): row for row in json.loads(done.stdout)}
    assert {("cell", "gru"), ("task", "nmt"), ("data", "lm.toy"), ("optimizer", "adam")} <= listed.keys()
    assert {
        ("schedule", "cosine"),
        ("schedule", "inverse-sqrt"),
        ("logger", "none"),
        ("baseline", "lm.ngram"),
    } <= listed.keys()
    assert all(row["summary"] and row["trouble"] is None for row in listed.values())
    assert listed["cell", "gru"]["distribution"] == "rnnx-cells"
    assert listed["cell", "gru"]["version"] == version("rnnx-cells")


def test_one_kind_is_a_table(rnnx):
    done = rnnx("list", "tasks")
    heading, *lines = done.stdout.splitlines()
    assert heading.split("  ")[0] == "kind"
    assert [line.split()[:4] for line in lines] == [
        ["task", name, "rnnx-tasks", version("rnnx-tasks")]
        for name in sorted(entry_points(group="rnnx.tasks").names)
    ]


def test_what_cannot_be_used_is_a_row_that_says_why(rnnx, foreign):
    done = rnnx("list")
    assert done.returncode == 0
    lines = {tuple(line.split()[1:3]): line for line in done.stdout.splitlines()}
    assert lines["broken", "foreign"].endswith(
        "  broken: ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert "broken: also offered by distribution 'rnnx-cells'" in lines["gru", "foreign"]
    assert "broken: also offered by distribution 'foreign' 7.0" in lines["gru", "rnnx-cells"]
    assert all("broken" not in lines[name] for name in [("lstm", "rnnx-cells"), ("late", "foreign")])


def cells(*words):
    """The rows of ``rnnx list cells`` by name and distribution, and what JSON says of them."""
    listed, told = (CliRunner().invoke(app, ["list", "cells", *words, *form]) for form in ([], ["--json"]))
    assert (listed.exit_code, listed.stderr) == (told.exit_code, told.stderr) == (0, "")
    heading, *lines = listed.stdout.splitlines()
    columns = heading.split(None, 7)
    assert columns == [
        *("name", "states", "parameters", "fused", "trees", "distribution", "version", "what it is"),
    ]
    starts = [heading.index(column) for column in columns]
    ends = [*starts[1:], None]
    rows = [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]
    plain = {(row["name"], row["distribution"]): row for row in json.loads(told.stdout)}
    assert [(row[0], row[5]) for row in rows] == list(plain)
    return {(row[0], row[5]): row for row in rows}, plain


def test_cells_are_measured():
    shown, plain = cells()
    summary = "Long short-term memory, equal to torch.nn.LSTM, and its variants."
    lstm = 4 * 256 * (256 + 256 + 2)
    assert shown["lstm", "rnnx-cells"] == [
        *("lstm", "256, 256", f"{lstm:,}", "yes", "sum of children", "rnnx-cells", version("rnnx-cells")),
        summary,
    ]
    tree_rnn = 256 * (256 + 2 * 256) + 256  # one matrix of an input and two children, and a bias
    assert shown["tree-rnn", "rnnx-cells"][1:5] == ["256", f"{tree_rnn:,}", "no", "own equations"]
    expected = {"states": [256, 256], "parameters": lstm, "fused": True, "composes": False}
    expected |= {"summary": summary, "trouble": None, "failure": None, "kind": "cell"}
    assert expected.items() <= plain["lstm", "rnnx-cells"].items()
    assert len(plain) == len({row["name"] for row in plain.values()}) >= 18
    assert all(row["parameters"] > 0 for row in plain.values())


@pytest.mark.parametrize(("words", "inputs"), [([], 8), (["--input-size", "3"], 3)])
def test_cells_are_measured_at_the_size_asked_for(words, inputs):
    shown, plain = cells("--size", "8", *words)
    gru = 3 * 8 * (inputs + 8 + 2)
    assert shown["gru", "rnnx-cells"][1:4] == ["8", str(gru), "yes"]
    assert plain["gru", "rnnx-cells"]["parameters"] == gru


def test_a_cell_that_fails_is_a_row_that_says_so(foreign):
    shown, plain = cells()
    nothing = dict.fromkeys(("states", "parameters", "fused", "composes"))
    assert shown["broken", "foreign"][1:] == [
        *("", "", "", "", "foreign", "7.0"),
        "broken: ModuleNotFoundError: No module named 'no_such_library'",
    ]
    assert shown["gru", "foreign"][-1] == "broken: also offered by distribution 'rnnx-cells' 0.1.0"
    late = "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert shown["late", "foreign"][1:] == ["", "", "", "", "foreign", "7.0", f"broken: {late}"]
    assert (nothing | {"trouble": late, "failure": None}).items() <= plain["late", "foreign"].items()
    seven = "ValueError: expected a multiple of 7, got 256"
    assert shown["sevens", "foreign"][1:] == ["", "", "", "", "foreign", "7.0", f"cannot be built: {seven}"]
    assert (nothing | {"trouble": None, "failure": seven}).items() <= plain["sevens", "foreign"].items()


@pytest.mark.parametrize("words", [["tasks", "--size", "8"], ["--input-size", "8"]])
def test_only_cells_have_a_size(words):
    done = CliRunner().invoke(app, ["list", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "rnnx: --size and --input-size: only cells are measured; say rnnx list cells\n"


@pytest.mark.parametrize("size", ["0", "-1", "1.5"])
def test_a_size_is_a_positive_integer(size):
    assert CliRunner().invoke(app, ["list", "cells", "--size", size]).exit_code == 2


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
