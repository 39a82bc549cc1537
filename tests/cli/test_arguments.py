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


@pytest.mark.parametrize("name", ["out", "as_json", "as_markdown", "plot"])
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


@pytest.mark.parametrize("words", ["bench gru", "find-lr", "matrix cell=gru task=lm"])
def test_a_picture_of_no_format_is_refused_before_anything_is_done(words, rnnx):
    refused = rnnx(*words.split(), "--plot", "ratios.txt")
    assert refused.returncode == 2
    assert refused.stderr.startswith("rnnx: ratios.txt: expected a picture's name, its ending one of avif")
    assert (refused.stdout, list(rnnx.folder.iterdir())) == ("", [])
