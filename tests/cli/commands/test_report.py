from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from tests.runs import write_run


@pytest.fixture(autouse=True)
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cell in ("gru", "lstm"):
        write_run(tmp_path / "runs" / cell, "task=lm", f"cell={cell}", test={"loss": 1.0})
    monkeypatch.chdir(tmp_path)


def test_a_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "gru", "runs/lstm", "-o", "new/page.html"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "new/page.html: open it in a browser\n"
    text = (tmp_path / "new" / "page.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "2 runs compared" in text


def test_a_home_is_read_as_shells_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert CliRunner().invoke(app, ["report", "gru", "--file=~/page.html"]).exit_code == 0
    assert (tmp_path / "home" / "page.html").is_file()
    assert not (tmp_path / "~").exists()


def test_without_names_all_runs_are_on_the_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--baseline", "gru"])
    assert done.exit_code == 0
    assert "baseline: gru" in (tmp_path / "report.html").read_text("utf-8")


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "gone"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no run 'gone'" in done.stderr
    assert not (tmp_path / "report.html").exists()
