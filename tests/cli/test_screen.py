from __future__ import annotations

from rnnx.cli.screen import display, table


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
