from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from rnnx.cli.screen import display, display_json, table


def test_nothing_is_folded_cut_or_padded_where_there_is_no_terminal(capsys):
    long = "word " * 100 + "end"
    display(table(("", ""), [("a", "[bold]x[/bold] :smile:"), ("bcd", long)]))
    assert capsys.readouterr().out == f"a    [bold]x[/bold] :smile:\nbcd  {long}\n"


def test_a_terminal_folds_the_last_column_only(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    display(table(("", ""), [("a-very-long", "abc def ghi jkl")]))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["a-very-long  abc def", "             ghi jkl"]


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
