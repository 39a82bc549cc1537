from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.flow import Flows
from rnnx.cli.screen import display
from rnnx.core.gradient_flow import Flow

PNG = b"\x89PNG"


def shown(flows, capsys):
    display(flows)
    return capsys.readouterr().out.splitlines()


def flow(layer, steps, memory=None, low=None, high=None):
    return Flow(layer, [2.0] * steps, [0.5**lag for lag in range(steps)], memory, 0.123456, 1.5, low, high)


def test_a_run_is_a_line_a_layer_and_its_norms(capsys):
    flows = Flows({"a": [flow("net.0", 101, 2), flow("net.1", 12, None, 0.25, 0.0)]}, [Path("a/x.png")])
    lines = [line.split() for line in shown(flows, capsys)]
    assert lines == [
        ["layer", "memory", "decay", "contraction", "gates", "<", "0.1", "gates", ">", "0.9"],
        ["net.0", "2", "0.1235", "1.5"],
        ["net.1", ">", "11", "0.1235", "1.5", "25.0%", "0.0%"],
        [],
        ["layer", "norm", "of", "lag", "1", "lag", "10", "lag", "50", "lag", "100", "last", "lag"],
        ["net.0", "dL/ds_t", "2", "2", "2", "2", "2", "(100)"],
        ["net.0", "ds_T/ds_t", "0.5", "0.000977", "8.88e-16", "7.89e-31", "7.89e-31", "(100)"],
        ["net.1", "dL/ds_t", "2", "2", "2", "(11)"],
        ["net.1", "ds_T/ds_t", "0.5", "0.000977", "0.000488", "(11)"],
        [],
        ["plot", "a/x.png"],
    ]


def test_of_several_runs_each_line_says_which(capsys):
    lines = shown(Flows({"a": [flow("net", 3)], "b": [flow("net", 3)]}, []), capsys)
    assert [line.split()[:2] for line in lines[1:3]] == [["a", "net"], ["b", "net"]]


@pytest.fixture
def runs(trained, tmp_path):
    """Two copies of a run, ``one`` and ``two``, without pictures and what they show."""
    for name in ("one", "two"):
        shutil.copytree(trained[0].folder / "runs" / "it's small", tmp_path / "runs" / name)
        shutil.rmtree(tmp_path / "runs" / name / "plots")
        (tmp_path / "runs" / name / "flow.json").unlink()
    return tmp_path / "runs"


def test_a_run_is_measured_told_drawn_and_written_down(rnnx, runs):
    done = rnnx("flow", "one")
    assert (done.returncode, done.stderr) == (0, "")
    measured = json.loads((runs / "one" / "flow.json").read_text())
    assert [flow["layer"] for flow in measured] == ["encoder.layers.0", "decoder.net.layers.0"]
    lines = [line.split() for line in done.stdout.splitlines()]
    for flow, line in zip(measured, lines[1:3], strict=True):
        assert line[0] == flow["layer"]
        assert line[-4:-2] == [f"{flow['decay']:.4g}", f"{flow['contraction']:.4g}"]
        assert line[-2:] == [f"{flow[share]:.1%}" for share in ("low", "high")]
        assert flow["state"][0] == 1
        assert len(flow["state"]) == len(flow["loss"]) > 5
    assert lines[-1] == ["plot", "runs/one/plots/gradient_flow.png"]
    assert (runs / "one" / "plots" / "gradient_flow.png").read_bytes().startswith(PNG)
    assert not (runs / "two" / "flow.json").exists()
    assert not (runs / "gradient_flow.png").exists()


def test_several_runs_are_drawn_in_one_picture_too(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    done = CliRunner().invoke(app, ["flow", "one", "runs/two", "--out", "runs"])
    assert (done.exit_code, done.stderr) == (0, "")
    pictures = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("plot")]
    assert pictures == [
        "runs/one/plots/gradient_flow.png",
        "runs/two/plots/gradient_flow.png",
        "runs/gradient_flow.png",
    ]
    assert all(Path(picture).read_bytes().startswith(PNG) for picture in pictures)

    told = json.loads(CliRunner().invoke(app, ["flow", "one", "runs/two", "--json"]).stdout)
    assert list(told) == ["one", "runs/two"]
    assert told["one"] == told["runs/two"] == json.loads((runs / "two" / "flow.json").read_text())


def test_a_folder_of_runs_is_measured_without_those_that_cannot_be(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    (runs / "begun").mkdir()
    shutil.copy(runs / "one" / "config.yaml", runs / "begun")
    done = CliRunner().invoke(app, ["flow", "runs"])
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("runs/begun is left out: runs/begun/checkpoints/best.ckpt")
    assert done.stderr.count("\n") == 1
    pictures = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("plot")]
    assert pictures == [
        *(f"runs/{name}/plots/gradient_flow.png" for name in ("one", "two")),
        "runs/gradient_flow.png",
    ]
    assert "runs/one encoder.layers.0" in done.stdout

    refused = CliRunner().invoke(app, ["flow", "begun", "one"])
    assert (refused.exit_code, refused.stdout) != (0, "")
    assert "left out" not in refused.stderr
    shutil.rmtree(runs / "one")
    shutil.rmtree(runs / "two")
    none = CliRunner().invoke(app, ["flow", "runs"])
    assert (none.exit_code, none.stdout) == (2, "")
    assert "expected runs to measure, and none of those found can be" in none.stderr


def test_a_run_that_cannot_be_measured_is_refused(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    done = CliRunner().invoke(app, ["flow", "one", "three"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no run 'three'" in done.stderr
    assert not (runs / "one" / "flow.json").exists()
    done = CliRunner().invoke(app, ["flow"])
    assert done.exit_code == 2
