from __future__ import annotations

import json
import math
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from rnnx.cli.screen import display, display_json, gone_on_with, table
from rnnx.core.errors import Interrupted


def test_nothing_is_folded_cut_or_padded_where_there_is_no_terminal(capsys):
    long = "word " * 100 + "end"
    display(table(("", ""), [("a", "[bold]x[/bold] :smile:"), ("bcd", long)]))
    assert capsys.readouterr().out == f"a    [bold]x[/bold] :smile:\nbcd  {long}\n"


def test_a_terminal_folds_the_last_column_only(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    display(table(("", ""), [("a-very-long", "abc def ghi jkl")]))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["a-very-long  abc def", "             ghi jkl"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted(15)])
def test_of_what_is_done_only_once_a_stop_says_how_to_go_on(stop):
    with pytest.raises(type(stop)) as stopped, gone_on_with():
        raise stop
    assert stopped.value.__notes__ == ["the same command goes on where it stopped"]


def test_headings_are_shown_if_there_are_any(capsys):
    display(table(("name", "what"), [("x", "y")]))
    assert capsys.readouterr().out == "name  what\nx     y\n"


@dataclass(frozen=True)
class Measured:
    name: str
    losses: tuple[float, ...]


def test_json_is_one_document_that_every_reader_takes(capsys):
    display_json([Measured("ñandú", (0.1, math.nan, -math.inf)), Path("runs/a")])
    written = capsys.readouterr().out
    assert "ñandú" in written

    def never(constant):
        raise AssertionError(constant)

    read = json.loads(written, parse_constant=never)
    assert read == [{"name": "ñandú", "losses": [0.1, None, None]}, "runs/a"]


SMALL = ("data.train=200", "data.valid=20", "data.test=20", "trainer.max_epochs=1", "cell.hidden_size=16")
SMALL += ("trainer.log_every_n_steps=1", "task.embedding_size=16", "logger=none")
COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[\d;]*)?m")
STYLE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


def on_a_terminal(folder, *words, **environment):
    """What ``rnnx`` writes on a real terminal of 100 columns, and its exit code."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", *words],
        cwd=folder,
        env=kept | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with suppress(OSError):  # Linux says so at the end
        while some := os.read(ours, 65536):
            written += some
    os.close(ours)
    return written.decode(), process.wait()


def test_a_run_shows_how_far_it_is_on_a_terminal_and_what_may_come_next(tmp_path):
    written, code = on_a_terminal(tmp_path, "run", "task=nmt", *SMALL, "name=small")
    assert code == 0, written
    assert COLOUR.search(written)
    plain = STYLE.sub("", written)
    assert re.search(r"epoch 1 of 1 +\S+ +100% 0:00:00 left loss \d", plain)
    assert re.search(r"^epoch 1 \(\d+ s\): train loss .*valid bleu", plain.replace("\r", "\n"), re.MULTILINE)
    assert re.search(r"^go on +rnnx resume runs/small trainer.max_epochs=2 *\r$", plain, re.MULTILINE)
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["lis"], 2), (["doctor", "--help"], 0), (["list", "optimizers"], 0)]
)
def test_no_colour_is_respected_by_help_errors_and_tables(tmp_path, words, code):
    coloured, plain = (on_a_terminal(tmp_path, *words, **env) for env in ({}, {"NO_COLOR": "1"}))
    assert (coloured[1], plain[1]) == (code, code)
    assert "\x1b[" in coloured[0]
    assert not COLOUR.search(plain[0])
    assert STYLE.sub("", coloured[0]).split() == STYLE.sub("", plain[0]).split()
    assert bool(COLOUR.search(coloured[0])) == (words[0] != "list")  # tables are bold at most


def test_colours_can_be_asked_for_where_there_is_no_terminal(rnnx, monkeypatch):
    assert "\x1b" not in rnnx("lis").stderr
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert COLOUR.search(rnnx("lis").stderr)
