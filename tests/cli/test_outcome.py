from __future__ import annotations

import json
from pathlib import Path

import pytest

from rnnx.cli.outcome import metrics, outcome, tell
from rnnx.cli.screen import display
from rnnx.core.exhibits.exhibit import Text
from rnnx.core.resolution import resolve
from rnnx.core.running.result import Result

CONFIG = resolve(["trainer.max_epochs=7"])
SIDE_BY_SIDE = ["rnnx compare", "rnnx report"]
FLOW = [Path("runs/a/plots/gradient_flow.png")]


def test_a_metric_that_a_split_lacks_is_left_blank(capsys):
    display(metrics({"valid": {"loss": 1234.5678}, "test": {"loss": 2.0, "bleu": 38.06}}))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["valid", "test"], ["loss", "1,234.568", "2.000"], ["bleu", "38.060"]]


def test_a_small_metric_keeps_three_digits(capsys):
    display(metrics({"test": {"mse": 7.0265e-05, "error": -0.00012345, "none": 0.0, "some": 0.0012}}))
    lines = [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == ["7.03e-05", "-0.000123", "0.000", "0.001"]


def test_the_example_is_one_line_that_a_shell_can_take(capsys):
    samples = [{"prompt": Text("\n  it's $HOME\nmore"), "continuation": Text("x")}]
    result = Result(Path("my runs/a"), {"valid": {}, "test": {}}, samples, FLOW)
    display(outcome(result, CONFIG))
    lines = capsys.readouterr().out.splitlines()
    assert """use it     echo 'it'"'"'s $HOME' | rnnx predict 'my runs/a'""" in lines


def test_what_cannot_predict_has_no_example(capsys):
    display(outcome(Result(Path("runs/a"), {"valid": {"loss": 1.0}, "test": {"loss": 1.0}}, [], []), CONFIG))
    assert "predict" not in capsys.readouterr().out


def test_an_example_too_long_to_type_is_left_to_a_file(capsys):
    result = Result(Path("runs/a"), {"valid": {}, "test": {}}, [{"prompt": Text("0.25 " * 100)}], FLOW)
    display(outcome(result, CONFIG))
    assert "use it     rnnx predict runs/a < FILE" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "plots", "told"),
    [
        (
            ["trainer.max_epochs=7"],
            FLOW,
            [
                "rnnx play runs/a",
                "rnnx resume runs/a trainer.max_epochs=14",
                "rnnx flow runs/a",
                *SIDE_BY_SIDE,
            ],
        ),
        (
            ["trainer.max_epochs=-1", "trainer.max_steps=50"],
            FLOW,
            [
                "rnnx play runs/a",
                "rnnx resume runs/a trainer.max_steps=100",
                "rnnx flow runs/a",
                *SIDE_BY_SIDE,
            ],
        ),
        (
            ["trainer.max_epochs=3", "trainer.max_steps=50", "trainer.max_time=00:01:00:00"],
            [],
            [
                "rnnx play runs/a",
                "rnnx resume runs/a trainer.max_epochs=6 trainer.max_steps=100 trainer.max_time=null",
                *SIDE_BY_SIDE,
            ],
        ),
        (["task=lm", "baseline=ngram"], [], SIDE_BY_SIDE),
    ],
)
def test_what_may_come_next_is_told(capsys, words, plots, told):
    display(outcome(Result(Path("runs/a"), {"valid": {}, "test": {}}, [], plots), resolve(words)))
    lines = capsys.readouterr().out.splitlines()
    assert [line[line.index("rnnx ") :] for line in lines if "rnnx " in line] == told


def test_the_gradient_flow_is_looked_at_where_it_was_measured(capsys):
    """Of trees it is not."""
    for plots, offered in ((FLOW, True), ([Path("runs/a/plots/curves.png")], False)):
        display(outcome(Result(Path("runs/a"), {"valid": {}, "test": {}}, [], plots), CONFIG))
        assert ("rnnx flow" in capsys.readouterr().out) == offered


def test_runs_of_another_folder_are_compared_there(capsys):
    display(outcome(Result(Path("my runs/a"), {"valid": {}, "test": {}}, [], FLOW), CONFIG))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["compare    rnnx compare --out 'my runs'", "report     rnnx report --out 'my runs'"]


def test_for_a_program_it_is_what_the_result_holds_and_where(capsys):
    tell(Result(Path("runs/a"), {"valid": {"loss": 1.5}, "seed": 1}, [], []), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"folder": "runs/a", "valid": {"loss": 1.5}, "seed": 1}
