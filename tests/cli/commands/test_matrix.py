from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.matrix import compared, markdown
from rnnx.core.sweeps.entries import Line

if TYPE_CHECKING:
    from conftest import CommandLine

LIVING = set("RSDTtW")  # states of processes; what is dead is Z or X

SMALL = (
    "task=lm",
    "data.characters=20_000",
    "logger=none",
    "cell.hidden_size=4",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
)


def test_a_matrix_is_a_table_with_a_row_for_each_cell(
    rnnx: CommandLine, quick: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rnnx("matrix", "cell=gru,elman,clockwork", *SMALL)
    assert done.returncode == 1, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["task", "cell", "metric", "test", "parameters", "minutes"]
    assert [row.split()[1] for row in rows] == ["gru", "elman", "clockwork"]
    assert "multiple of 8" in rows[2]
    assert "3 of 3: runs/lm-clockwork-1: " in done.stderr

    again = quick("matrix", "cell=gru,elman", *SMALL, "--markdown")
    assert again.returncode == 0, again.stderr
    assert [row.split("|")[2].strip() for row in again.stdout.splitlines()] == ["cell", "---", "gru", "elman"]
    assert again.stdout.splitlines()[2].split("|")[4].strip() == rows[0].split()[3]

    monkeypatch.chdir(rnnx.folder)
    plain = CliRunner().invoke(app, ["matrix", "cell=gru,elman", *SMALL, "--json"])
    assert plain.exit_code == 0
    gru, elman = json.loads(plain.stdout)
    assert (gru["task"], gru["cell"], elman["cell"], gru["failures"]) == ("lm", "gru", "elman", [])
    assert f"{gru['scores'][0]:.2f}" == rows[0].split()[3]


def test_a_row_in_markdown() -> None:
    line = Line("lm", "gru", "loss", "min", (1.25,), 1234567, 90.0, ())
    assert markdown([line]).splitlines()[2] == "| lm | gru | loss | 1.250 | 1,234,567 | 1.5 |"


def test_on_a_narrow_terminal_a_failure_is_folded_and_all_columns_are_there() -> None:
    """A failure is a long sentence in the column of the scores."""
    written = StringIO()
    line = Line("memory", "clockwork", "loss", "min", (), 0, 0.0, ("a sentence " * 20,), {"data.length": 20})
    Console(width=80, file=written).print(compared([line]))
    text = written.getvalue()
    head, first, *_ = text.splitlines()
    assert head.split() == ["task", "cell", "length", "metric", "test", "parameters", "minutes"]
    assert first.split()[:4] == ["memory", "clockwork", "20", "loss"]
    assert " ".join(text.split()).count("a sentence") == 20


def test_a_grid_has_a_row_a_cell_and_a_column_a_task() -> None:
    lines = [
        Line("lm", "gru", "loss", "min", (1.25,), 9, 90.0, ()),
        Line("lm", "elman", "loss", "min", (), 0, 0.0, ("no memory",)),
        Line("ner", "gru", "f1", "max", (90.0, 91.0), 9, 30.0, ()),
    ]
    assert markdown(lines, as_grid=True).splitlines() == [
        "| cell | lm: loss (minutes) | ner: f1 (minutes) |",
        "| --- | --- | --- |",
        "| gru | 1.250 (1.5) | 90.50 ± 0.71 (0.5) |",
        "| elman | failed |  |",
    ]


def test_what_is_varied_has_a_column_each_and_in_a_grid_is_of_the_model_or_of_the_data() -> None:
    lines = [
        Line(
            "memory",
            "gru",
            "loss",
            "min",
            (length / 100,),
            9,
            60.0,
            (),
            {"data.length": length, "net.layers": layers},
        )
        for layers in (1, 2)
        for length in (20, 50)
    ]
    head, _, first, *_ = markdown(lines).splitlines()
    assert head == "| task | cell | length | layers | metric | test | parameters | minutes |"
    assert first == "| memory | gru | 20 | 1 | loss | 0.2000 | 9 | 1.0 |"
    assert markdown(lines, as_grid=True).splitlines() == [
        "| cell | memory length=20: loss (minutes) | memory length=50: loss (minutes) |",
        "| --- | --- | --- |",
        "| gru layers=1 | 0.2000 (1.0) | 0.5000 (1.0) |",
        "| gru layers=2 | 0.2000 (1.0) | 0.5000 (1.0) |",
    ]


def living_in(session: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has just ended
            continue
        found += [int(path.parent.name)] if state in LIVING and int(of) == session else []
    return found


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_the_same_command_goes_on(rnnx: CommandLine) -> None:
    """A terminal sends it to all of them."""
    words = ("task=memory", "cell=gru,elman", "logger=csv", "cell.hidden_size=4", "trainer.max_epochs=2")
    words += ("trainer.limit_train_batches=200", "checkpoint.every_n_train_steps=10")
    with subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", "matrix", *words, "--jobs", "2"],
        cwd=rnnx.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    ) as process:
        while len(list(rnnx.folder.glob("runs/memory-*/checkpoints/last.ckpt"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        told, said = process.communicate()
    assert (process.returncode, told) == (130, "")
    assert said == "rnnx: stopped by SIGINT; the same command goes on where it stopped\n"
    while living_in(process.pid):  # Python's own, which follows
        time.sleep(0.05)

    done = rnnx("matrix", *words)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in rnnx.folder.glob("runs/memory-*")} == {"memory-gru-1", "memory-elman-1"}
    for name in ("gru", "elman"):
        with (rnnx.folder / "runs" / f"memory-{name}-1" / "metrics.csv").open() as file:
            steps = [int(row["step"]) for row in csv.DictReader(file) if row["train/loss"]]
        assert steps == sorted(set(steps))  # none was made twice
