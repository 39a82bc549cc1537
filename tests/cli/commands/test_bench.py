from __future__ import annotations

import json
import re
import sys

import pytest
import torch
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.bench import Bench, asked, planned
from rnnx.cli.screen import display
from rnnx.core.benchmark import LENGTHS, MODES, SETTINGS, Setting, Timing
from rnnx.core.errors import UsageError

SMALL = (
    "--steps",
    "4",
    "--batch",
    "3",
    "--hidden",
    "6",
    "--rounds",
    "2",
    "--threads",
    "1",
    "--device",
    "cpu",
)
STRANGE = '''
import torch
from rnnx.core.cell import Cell


class Strange(Cell):
    """A stranger's."""

    def __init__(self, input_size: int, *, hidden_size: int = 7, twice: bool = False) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.linears = torch.nn.ModuleList(torch.nn.Linear(input_size, hidden_size) for _ in range(1 + twice))

    def step(self, z, state):
        h = 0.5 * state[0] + sum(linear(z) for linear in self.linears)
        return h, (h,)


class Wrong(Strange):
    """Cannot be read."""

    def step(self, z, state):
        raise ValueError("sizes\\n do not fit")
'''


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A stranger's distribution: a cell, one that fails, one that is not there, and one of a taken name."""
    info = tmp_path / "strange-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.5\n")
    entries = (
        "strange = benched_cells:Strange",
        "wrong = benched_cells:Wrong",
        "half = half_a_cell:Half",
        "mut1 = benched_cells:Strange",
    )
    (info / "entry_points.txt").write_text("\n".join(["[rnnx.cells]", *entries]))
    (tmp_path / "benched_cells.py").write_text(STRANGE)
    (tmp_path / "half_a_cell.py").write_text("import no_such_library\n\nclass Half: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "benched_cells", raising=False)


def bench(*words):
    return CliRunner().invoke(app, ["bench", *words, *SMALL])


def plan(**changed):
    said = {
        "settings": "a,b,c",
        "own": dict.fromkeys(("steps", "batch", "hidden")),
        "lengths": "equal,variable",
        "modes": "training,inference",
        "threads": None,
        "rounds": 20,
        "seconds": 45.0,
        "dtype": "float32",
        "device": "cpu",
    }
    return planned(**said | changed)


def timing(cell, flops, **changed):
    said = {"setting": SETTINGS["b"], "threads": 2, "lengths": "variable", "mode": "training"}
    return Timing(
        cell,
        "nn.LSTM",
        **said | changed,
        seconds=(0.003, 0.001, 0.002),
        twin_seconds=(0.002, 0.002, 0.002),
        flops=flops,
        twin_flops=100,
    )


ABOUT = {"command": "rnnx bench x", "torch": "2.99"}
HEADING = (
    "cell  setting  lengths   mode      threads  ms    twin     its ms  ratio  quartiles     per FLOP  rounds"
)


def test_the_table(capsys):
    display(Bench(ABOUT, [timing("one", 50), timing("two", 0)], []))
    assert capsys.readouterr().out.splitlines() == [
        "command  rnnx bench x",
        "torch    2.99",
        "",
        HEADING,
        "one   b        variable  training  2        2.00  nn.LSTM  2.00    1.00   0.75 to 1.25  2.00      3",
        "two   b        variable  training  2        2.00  nn.LSTM  2.00    1.00   0.75 to 1.25            3",
    ]


def test_the_table_in_markdown():
    assert Bench(ABOUT, [timing("one", 50)], []).markdown().splitlines() == [
        "command: rnnx bench x; torch: 2.99",
        "",
        f"| {' | '.join(re.split(' {2,}', HEADING))} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| one | b | variable | training | 2 | 2.00 | nn.LSTM | 2.00 | 1.00 | 0.75 to 1.25 | 2.00 | 3 |",
    ]


def test_a_cell_is_timed_in_each_of_the_ways_and_told_as_json():
    done = bench("lstm", "rhn", "cell.layer_norm=true", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told) == ["command", "machine", "device", "torch", "dtype", "timings", "failures"]
    assert (told["device"], told["torch"], told["dtype"]) == ("cpu", torch.__version__, "float32")
    assert told["failures"] == []
    ways = [(one["cell"], one["lengths"], one["mode"]) for one in told["timings"]]
    assert ways == [(cell, kind, mode) for cell in ("lstm", "rhn") for kind in LENGTHS for mode in MODES]
    for one in told["timings"]:
        assert one["setting"] == {"name": "own", "steps": 4, "batch": 3, "hidden": 6}
        assert (one["threads"], one["rounds"], one["twin"]) == (1, 2, "nn.LSTM")
        assert one["seconds"] > 0
        assert one["quartiles"][0] <= one["ratio"] <= one["quartiles"][1]
        assert one["per_flop"] == pytest.approx(one["ratio"] * one["twin_flops"] / one["flops"])
    progress = done.stderr.splitlines()
    assert [line.split(":")[0] for line in progress[:2] + progress[-1:]] == [
        "1 of 8",
        "2 of 8",
        "8 of 8",
    ]
    assert progress[-1].startswith("8 of 8: rhn on own, 1 thread, variable lengths, inference: ")
    assert progress[-1].endswith(" of nn.LSTM")


def test_a_strangers_cell_and_its_option(strange):
    done = bench("strange", "cell.twice=true", "--json", "--dtype", "float64")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["dtype"] == "float64"
    assert {one["flops"] for one in told["timings"]} == {2 * 2 * 3 * 4 * 6 * 6}


def test_one_that_fails_is_a_sentence_and_not_the_end(strange):
    done = bench("mut1", "half", "wrong", "strange", "--markdown", "--modes", "inference")
    assert done.exit_code == 1
    assert [line.split(" | ")[0] for line in done.stdout.splitlines()[4:]] == ["| strange"] * 2
    complaints = [line for line in done.stderr.splitlines() if line.startswith("rnnx: ")]
    assert len(complaints) == 3
    assert "'mut1' is offered by" in complaints[0]
    assert "'half'" in complaints[1]
    assert "no_such_library" in complaints[1]
    expected = "cell 'wrong' of distribution 'strange' 1.5 cannot be measured: ValueError: sizes do not fit"
    assert complaints[2] == f"rnnx: {expected}"


def test_where_all_fail_there_is_no_table(strange):
    done = bench("wrong")
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_picture(tmp_path):
    done = bench("elman", "gru", "--plot", str(tmp_path / "new" / "ratios.png"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "new" / "ratios.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lsmt"], "cell: no such cell 'lsmt'; did you mean 'lstm'?"),
        (["lstm", "cell.dept=5"], "cell.dept: no such option of cell 'lstm'"),
        (["rhn", "cell.depth=0"], "cell.depth: expected an integer of at least 1, got 0"),
        (["cell=lstm"], "'cell=lstm': expected the name of a cell, or cell.OPTION=VALUE"),
        (["lstm", "cell.hidden_size=8"], "say --hidden 8"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_timed(words, told):
    done = bench(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr
    assert all(line.startswith("rnnx: ") for line in done.stderr.splitlines())


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UsageError) as caught:
        asked(["lsmt", "gru", "x=1", "cell.depth=2"])
    assert [problem.split(";")[0][:30] for problem in caught.value.problems] == [
        "'x=1': expected the name of a ",
        "cell: no such cell 'lsmt'",
        "cell.depth: no such option of ",
    ]


def test_without_a_name_all_cells_are_timed(strange):
    specs, failures = asked([])
    names = [spec.name for spec in specs]
    assert {"elman", "gru", "lstm", "strange", "wrong", "half", "tree-lstm"} <= set(names)
    assert "mut1" not in names
    (failure,) = failures
    assert failure.startswith("cell 'mut1' is offered by ")


def test_a_cell_is_timed_once():
    specs, _ = asked(["gru", "lstm", "gru"])
    assert [spec.name for spec in specs] == ["gru", "lstm"]


def test_the_plan():
    told = plan()
    assert told.settings == tuple(SETTINGS.values())
    assert told.threads == (torch.get_num_threads(),)
    assert (told.lengths, told.modes) == (LENGTHS, MODES)
    assert (told.rounds, told.seconds, told.dtype, told.device.type) == (20, 45.0, torch.float32, "cpu")
    told = plan(settings="c,a", lengths="variable", modes="inference", threads="2, 1", dtype="bfloat16")
    assert [setting.name for setting in told.settings] == ["c", "a"]
    assert (told.threads, told.lengths, told.modes) == ((2, 1), ("variable",), ("inference",))
    assert told.dtype == torch.bfloat16


def test_sizes_of_ones_own_are_those_of_b_where_nothing_is_said():
    assert plan(own={"steps": 7, "batch": None, "hidden": None}).settings == (Setting("own", 7, 64, 256),)
    assert plan(own={"steps": None, "batch": 5, "hidden": 9}).settings == (Setting("own", 100, 5, 9),)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"settings": "a,d"}, "--settings: no such name 'd' (names: a, b, c)"),
        ({"lengths": "equl"}, "--lengths: no such name 'equl'; did you mean 'equal'?"),
        ({"modes": ""}, "--modes: no such name ''"),
        ({"threads": "0"}, "--threads: expected numbers from 1 to 9999 with commas between, got '0'"),
        ({"threads": "1,x"}, "--threads: expected"),
        ({"device": "gpu7"}, "--device: expected one of this machine, such as cpu, got 'gpu7'"),
        ({"device": "meta"}, "--device: expected"),
    ],
)
def test_what_is_none_of_those_there_are_is_refused(changed, told):
    with pytest.raises(UsageError) as caught:
        plan(**changed)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
