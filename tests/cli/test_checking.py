from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.checking import outcomes
from rnnx.core.errors import RunError, UsageError

MODULE = '''
"""Somebody 1952, leaky integrators."""

import torch
from rnnx.core.cell import Cell


class Leaky(Cell):
    """A leaky integrator.

    .. math::
        h_t = h_{t-1} / 2 + W x_t
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, 4, (4,)
        self.weight = torch.nn.Linear(input_size, 4)

    def step(self, z, state):
        h = 0.5 * state[0] + self.weight(z)
        return h, (h,)


class Social(Leaky):
    """As above, of what is new in the batch.

    .. math::
        h_t = h_{t-1} / 2 + W (x_t - mean(x_t))
    """

    def step(self, z, state):
        return super().step(z - z.mean(0), state)
'''


@pytest.fixture(autouse=True)
def strangers(tmp_path, monkeypatch):
    """A stranger's cells: one that is right, one that is wrong, one that cannot be imported."""
    (tmp_path / "strange_cells.py").write_text(MODULE)
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    cells = "leaky = strange_cells:Leaky\nsocial = strange_cells:Social\nlost = strange_lost:Lost\n"
    (info / "entry_points.txt").write_text(f"[rnnx.cells]\n{cells}")
    monkeypatch.syspath_prepend(tmp_path)


def check(*words):
    return CliRunner().invoke(app, ["check", *words], prog_name="rnnx")


def test_a_right_cell_is_a_line_a_check_and_exits_with_0():
    done = check("leaky")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) >= 15
    assert all(line.startswith("ok     ") for line in lines)
    assert "ok     padding changes nothing" in lines


def test_a_wrong_cell_is_told_what_is_wrong_in_a_sentence_and_exits_with_1():
    done = check("social")
    assert (done.exit_code, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "ok     paper and equations are given" in lines
    (wrong,) = (line for line in lines if " neighbours change nothing" in line)
    assert wrong.startswith(
        "WRONG  neighbours change nothing: output at step 1 changes with the other rows of "
    )


def test_json_has_every_fact_and_the_same_exit_code():
    done = check("social", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found == [{"fact": outcome.fact, "problem": outcome.problem} for outcome in outcomes("social")]
    problems = {entry["fact"]: entry["problem"] for entry in found}
    assert problems["paper and equations are given"] is None
    assert problems["neighbours change nothing"].startswith("output at step 1 changes ")


def test_an_unknown_cell_is_a_suggestion_and_exits_with_2():
    done = check("socal")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no such cell 'socal'; did you mean 'social'?" in done.stderr
    with pytest.raises(UsageError):
        next(outcomes("socal"))


def test_a_cell_that_cannot_be_imported_is_an_error_with_the_cause():
    done = check("lost")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cell 'lost' of distribution 'strange' 1.0 cannot be imported: ModuleNotFoundError" in done.stderr
    with pytest.raises(RunError):
        next(outcomes("lost"))
