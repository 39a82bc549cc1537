from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from rnnx.cli.reporting import metrics, outcome, size
from rnnx.cli.screen import display
from rnnx.core.result import Result


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 3)  # 3,000
        self.output = nn.Linear(3, 1000)  # 1,000 of its own: the biases
        self.output.weight = self.embedding.weight
        self.scale = nn.Parameter(torch.ones(5))


def test_what_is_shared_is_counted_once():
    lines = [line.split() for line in size(Tied()).splitlines()]
    assert lines[0] == ["#", "parameters:", "4,005"]
    assert sorted(lines[1:]) == [["#", "embedding", "3,000"], ["#", "output", "1,000"], ["#", "scale", "5"]]


def test_a_metric_that_a_split_lacks_is_left_blank(capsys):
    display(metrics({"valid": {"loss": 1234.5678}, "test": {"loss": 2.0, "bleu": 38.06}}))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["valid", "test"], ["loss", "1,234.568", "2.000"], ["bleu", "38.060"]]


def test_the_example_is_one_line_that_a_shell_can_take(capsys):
    samples = [{"prompt": "\n  it's $HOME\nmore", "continuation": "x"}]
    result = Result(Path("my runs/a"), {"valid": {}, "test": {}}, samples, [])
    display(outcome(result))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == """use it  echo 'it'"'"'s $HOME' | rnnx predict 'my runs/a'"""


def test_what_cannot_predict_has_no_example(capsys):
    display(outcome(Result(Path("runs/a"), {"valid": {"loss": 1.0}, "test": {"loss": 1.0}}, [], [])))
    assert capsys.readouterr().out.splitlines()[-1] == "run  runs/a"


def test_an_example_too_long_to_type_is_left_to_a_file(capsys):
    result = Result(Path("runs/a"), {"valid": {}, "test": {}}, [{"prompt": "0.25 " * 100}], [])
    display(outcome(result))
    assert capsys.readouterr().out.splitlines()[-1] == "use it  rnnx predict runs/a < FILE"
