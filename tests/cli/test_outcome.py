from __future__ import annotations

from pathlib import Path

from rnnx.cli.outcome import metrics, outcome
from rnnx.cli.screen import display
from rnnx.core.exhibit import Text
from rnnx.core.result import Result


def test_a_metric_that_a_split_lacks_is_left_blank(capsys):
    display(metrics({"valid": {"loss": 1234.5678}, "test": {"loss": 2.0, "bleu": 38.06}}))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["valid", "test"], ["loss", "1,234.568", "2.000"], ["bleu", "38.060"]]


def test_the_example_is_one_line_that_a_shell_can_take(capsys):
    samples = [{"prompt": Text("\n  it's $HOME\nmore"), "continuation": Text("x")}]
    result = Result(Path("my runs/a"), {"valid": {}, "test": {}}, samples, [])
    display(outcome(result))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == """use it  echo 'it'"'"'s $HOME' | rnnx predict 'my runs/a'"""


def test_what_cannot_predict_has_no_example(capsys):
    display(outcome(Result(Path("runs/a"), {"valid": {"loss": 1.0}, "test": {"loss": 1.0}}, [], [])))
    assert capsys.readouterr().out.splitlines()[-1] == "run  runs/a"


def test_an_example_too_long_to_type_is_left_to_a_file(capsys):
    result = Result(Path("runs/a"), {"valid": {}, "test": {}}, [{"prompt": Text("0.25 " * 100)}], [])
    display(outcome(result))
    assert capsys.readouterr().out.splitlines()[-1] == "use it  rnnx predict runs/a < FILE"
