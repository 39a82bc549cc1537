from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.check import Outcome, lines, outcomes
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


class Hesitant(Leaky):
    """Leaky, and looks at its input first.

    .. math::
        h_t = h_{t-1} / 2 + W x_t
    """

    def step(self, z, state):
        if z.isnan().any():
            raise ValueError("no number")
        return super().step(z, state)
'''

TASKS = '''
"""Somebody's tasks."""

import torch
from rnnx.core.task import Loss
from rnnx.tasks.data.memory.draws import whole
from rnnx.tasks.data.memory.generated import Generated
from rnnx.tasks.memory import Memory


class Sorted(Generated):
    """The first of some numbers, in an order that is always the same."""

    @property
    def meta(self):
        return {"kind": "numbers", "features": 1, "answers": 1}

    def draw(self, count, generator):
        values = torch.linspace(0, 1, 3 * count).unflatten(0, (count, 3, 1))
        return whole(values, values[:, 0])


class Mean(Memory):
    """Remembers, and averages over the batch."""

    def loss(self, output, batch):
        loss = super().loss(output, batch)
        return Loss(loss.total / len(batch), loss.count)
'''
ENTRIES = """
[rnnx.cells]
leaky = strange_cells:Leaky
social = strange_cells:Social
lost = strange_lost:Lost
hesitant = strange_cells:Hesitant

[rnnx.tasks]
mean = strange_tasks:Mean
leaky = strange_tasks:Mean
bare = strange_tasks:Mean

[rnnx.data]
mean.toy = rnnx.tasks.data.memory.toy:Toy
leaky.toy = rnnx.tasks.data.memory.toy:Toy
memory.sorted = strange_tasks:Sorted
"""


@pytest.fixture(autouse=True)
def strangers(tmp_path, monkeypatch):
    """A stranger's: a cell that is right, one that is wrong, one that cannot be imported; a wrong task."""
    (tmp_path / "strange_cells.py").write_text(MODULE)
    (tmp_path / "strange_tasks.py").write_text(TASKS)
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)


def check(*words):
    return CliRunner().invoke(app, ["check", *words], prog_name="rnnx")


def test_a_right_cell_is_a_line_a_check_and_exits_with_0():
    done = check("sru")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) >= 15
    assert all(line.startswith("ok     ") for line in lines)
    assert "ok     padding changes nothing" in lines


def test_why_a_right_cell_has_no_plan_is_a_note():
    done = check("hesitant")
    assert done.exit_code == 0
    assert {line[:7] for line in done.stdout.splitlines()} == {"ok     "}
    assert done.stderr.startswith(
        "note: cell Hesitant is run step by step, which is slower: its step decides by the values of a tensor"
    )


def test_a_wrong_cell_is_told_what_is_wrong_in_a_sentence_and_exits_with_1():
    done = check("social")
    assert done.exit_code == 1
    assert done.stderr == (
        "note: cell Social passes nothing through self.drop_candidate, so that "
        "net.recurrent_dropout is refused with it\n"
    )
    lines = done.stdout.splitlines()
    assert "ok     paper and equations are given" in lines
    (wrong,) = (line for line in lines if " neighbours change nothing" in line)
    assert wrong.startswith(
        "WRONG  neighbours change nothing: output at step 1 changes with the other rows of "
    )


def test_what_is_wrong_for_a_reason_that_was_told_stands_together_and_none_is_left_out():
    facts = [
        ("a", "no matrix"),
        ("b", None),
        ("c", "no"),
        ("d", "no matrix"),
        ("e", "no matrix"),
        ("f", "no"),
    ]
    found = [Outcome(*fact) for fact in facts]
    assert list(lines(found)) == [
        "WRONG  a: no matrix",
        "ok     b",
        "WRONG  c: no",
        "WRONG  2 more as a: d, e",
        "WRONG  1 more as c: f",
    ]


def test_json_has_every_fact_and_the_same_exit_code():
    done = check("social", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found == [{"fact": outcome.fact, "problem": outcome.problem} for outcome in outcomes("social")]
    problems = {entry["fact"]: entry["problem"] for entry in found}
    assert problems["paper and equations are given"] is None
    assert problems["neighbours change nothing"].startswith("output at step 1 changes ")


def test_a_right_task_is_a_line_a_check_and_exits_with_0():
    done = check("memory")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) >= 20
    assert all(line.startswith("ok     ") for line in lines)
    assert "ok     the loss of a batch is that of its rows" in lines


def test_a_wrong_task_is_told_what_is_wrong_in_a_sentence_and_exits_with_1():
    done = check("mean")
    assert (done.exit_code, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    wrong, gradient = (line for line in lines if not line.startswith("ok "))
    assert wrong.startswith(
        "WRONG  the loss of a batch is that of its rows: the total of the loss is not the sum of its rows'"
    )
    assert gradient.startswith("WRONG  the gradient of a batch is that of its parts: ")
    assert "ok     meta is plain" in lines


def test_a_name_of_a_cell_and_of_a_task_is_both():
    facts = [outcome.fact for outcome in outcomes("leaky")]
    assert facts[0] == "paper and equations are given"
    assert "every option acts" in facts
    assert "meta is plain" in facts[facts.index("bfloat16 stays finite and close") :]


def test_right_data_is_a_line_a_check_and_exits_with_0():
    done = check("memory.toy")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok     ") for line in lines)
    assert "ok     batches have their rows" in lines
    assert "ok     training lowers the loss" in lines


def test_wrong_data_is_told_what_is_wrong_in_a_sentence_and_exits_with_1():
    done = check("memory.sorted")
    assert (done.exit_code, done.stderr) == (1, "")
    (wrong,) = (line for line in done.stdout.splitlines() if not line.startswith("ok "))
    assert wrong == "WRONG  training is in a new order each epoch: train is in the same order in two epochs"


def test_data_whose_options_must_be_given_is_told_so_and_exits_with_2():
    done = check("nmt.files")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "data.train" in done.stderr


def test_data_is_checked_with_the_options_that_are_given(tmp_path):
    pairs = [f"{word} {other}\t{other} {word}\n" for word in "abcdef" for other in "uvwxyz"]
    for split, start in (("train", 0), ("valid", 12), ("test", 24)):
        (tmp_path / f"{split}.tsv").write_text("".join(pairs[start : start + 12]))
    files = [f"data.{split}={tmp_path / split}.tsv" for split in ("train", "valid", "test")]
    done = check("nmt.files", *files, "data.source=de", "data.target=en", "data.min_frequency=1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(line.startswith("ok     ") for line in done.stdout.splitlines())
    (tmp_path / "valid.tsv").unlink()
    done = check("nmt.files", *files, "data.source=de", "data.target=en")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith(
        f"WRONG  meta is plain: data.valid: neither '{tmp_path / 'valid.tsv'}.de' nor "
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nmt.toy", "data.tran=1"), "data.tran: no such option of data 'toy'; did you mean 'train'?"),
        (("nmt.toy", "train=1"), "'train=1': expected SECTION.OPTION=VALUE, such as data.train=1"),
        (("gru", "data.x=1"), "'data.x=1': a cell is checked with each of its options, and takes none here"),
    ],
)
def test_what_is_no_option_of_the_data_is_told_and_exits_with_2(words, told):
    done = check(*words)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"rnnx: {told}\n")


def test_a_task_without_toy_data_is_told_so_and_exits_with_2():
    done = check("bare")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "rnnx: data: no such data 'toy' of task 'bare' (data: none)\n"


def test_an_unknown_name_is_a_suggestion_and_exits_with_2():
    done = check("socal")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no such cell, task or data 'socal'; did you mean 'social'? (cells: clockwork, " in done.stderr
    assert "; tasks: bare, captioning, leaky, lm, mean, memory, " in done.stderr
    with pytest.raises(UsageError, match="did you mean 'mean'"):
        next(outcomes("meann"))


def test_a_cell_that_cannot_be_imported_is_an_error_with_the_cause():
    done = check("lost")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cell 'lost' of distribution 'strange' 1.0 cannot be imported: ModuleNotFoundError" in done.stderr
    with pytest.raises(RunError):
        next(outcomes("lost"))
