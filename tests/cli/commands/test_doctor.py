from __future__ import annotations

import json
import re

from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.doctor import told
from rnnx.cli.screen import display
from rnnx.core.health import Finding


def doctor(*words):
    return CliRunner().invoke(app, ["doctor", *words])


def test_it_tells_what_it_finds_and_json_tells_the_same(tmp_path):
    shown, plain = doctor("--out", str(tmp_path)), doctor("--out", str(tmp_path), "--json")
    assert (shown.exit_code, plain.exit_code, shown.stderr) == (0, 0, "")
    findings = json.loads(plain.stdout)
    assert {finding["area"] for finding in findings} == {"software", "devices", "plugins", "tracking", "runs"}
    lines = [line.split() for line in shown.stdout.splitlines()]
    for finding in findings:
        assert f"{finding['area']} {finding['what']} {finding['value']}".split() in lines


def test_what_is_broken_is_told_last_with_what_to_do_and_by_the_exit_code(tmp_path):
    (tmp_path / "file").touch()
    done = doctor("--out", str(tmp_path / "file" / "runs"))
    assert done.exit_code == 1
    told = f"broken: +folder: nothing can be written in {tmp_path / 'file'}; give another folder: out=FOLDER"
    assert re.search(told, done.stdout)
    assert doctor("--out", str(tmp_path / "file" / "runs"), "--json").exit_code == 1


def test_where_there_is_nothing_to_do_it_says_so(capsys):
    display(told([Finding("software", "python", "3.11.7")]))
    assert capsys.readouterr().out.splitlines()[-1] == "all is well"
    display(told([Finding("runs", "free", "0.5 GiB", "suspicious", "remove some")]))
    assert capsys.readouterr().out.splitlines()[-1] == "suspicious:  free: remove some"
