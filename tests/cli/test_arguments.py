from __future__ import annotations

import pytest
from typer.main import get_command

from rnnx.cli.app import app
from rnnx.core.runs import OUT

COMMANDS = get_command(app).commands


def parameters(name):
    return {
        command: parameter
        for command, found in COMMANDS.items()
        for parameter in found.params
        if parameter.name == name
    }


@pytest.mark.parametrize("name", ["out", "as_json", "as_markdown"])
def test_an_option_means_the_same_in_every_command(name):
    found = parameters(name)
    assert len(found) > 1
    assert len({(*parameter.opts, parameter.help) for parameter in found.values()}) == 1


def test_runs_lie_where_they_are_written():
    assert {parameter.default for parameter in parameters("out").values()} == {OUT}


def test_every_command_says_in_a_sentence_what_it_does_and_gives_an_example():
    for name, command in COMMANDS.items():
        sentence, example = command.help.split("\n\n")
        assert sentence.endswith(".")
        assert f"rnnx {name} " in f"{example} ", name
