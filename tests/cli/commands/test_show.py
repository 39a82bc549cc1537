from __future__ import annotations

import json
import re
from importlib.metadata import entry_points

import pytest
from typer.testing import CliRunner

from rnnx.cli.app import app
from rnnx.cli.commands.show import describe
from rnnx.core.errors import UsageError

CELLS = ", ".join(sorted(entry_points(group="rnnx.cells").names))


def test_a_cell_is_shown_with_paper_equations_and_options(rnnx):
    done = rnnx("show", "cell", "gru")
    lines = done.stdout.rstrip().splitlines()
    assert lines[0].startswith("cell gru  (distribution 'rnnx-cells' ")
    assert lines[1].startswith("Cho et al. 2014, ")
    assert (
        "    rₜ = σ(W_ir xₜ + b_ir + W_hr hₜ₋₁ + b_hr)" in lines
    )  # equations 5 and 6 of the paper, with biases
    assert "    zₜ = σ(W_iz xₜ + b_iz + W_hz hₜ₋₁ + b_hz)" in lines
    assert "    hₜ = (1 - zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁" in lines  # equation 7
    table = lines[next(place for place, line in enumerate(lines) if line.startswith("option")) :]
    assert [line.split("  ")[0] for line in table[1:3]] == ["cell.hidden_size", "cell.reset"]
    assert re.search("one of before, after +after ", table[2])
    assert not {"Args:", "Example:", ".. math::"} & {line.strip() for line in lines}


@pytest.mark.parametrize("name", CELLS.split(", "))
def test_of_a_cells_equations_no_latex_is_left(name):
    (cell,) = describe("cell", name)
    assert not re.search(r"\\|[_^]\{|:math:", cell.documentation)


def test_a_task_is_shown_with_what_predict_takes(rnnx):
    shown = json.loads(rnnx("show", "task", "nmt", "--json").stdout)
    assert (shown["kind"], shown["name"]) == ("task", "nmt")
    options = {option["name"]: option for option in shown["options"]}
    assert options["attention"]["choices"] == ["additive", "dot", "general", "concat", "none"]
    assert all(option["doc"] and option["type"] for option in options.values())
    assert {"n_best", "attention"} <= {option["name"] for option in shown["predict"]}


def test_a_task_says_which_metric_chooses_its_best_model(rnnx):
    said = "The best model has the highest bleu; another metric: checkpoint.monitor=METRIC."
    assert said in " ".join(rnnx("show", "task", "nmt").stdout.split())
    [language_model] = describe("task", "lm")
    assert (language_model.monitor, language_model.mode) == ("perplexity", "min")
    [cell] = describe("cell", "gru")
    assert (cell.monitor, cell.mode) == ("", "")


def test_data_of_one_name_is_shown_for_each_task():
    tasks = sorted(entry_points(group="rnnx.tasks").names)
    assert [found.name for found in describe("data", "toy")] == [f"{task}.toy" for task in tasks]
    assert [found.name for found in describe("data", "nmt.toy")] == ["nmt.toy"]


def test_a_name_that_many_tasks_may_have_is_a_list_for_programs():
    many, one, alone = (
        json.loads(CliRunner().invoke(app, ["show", *words.split(), "--json"]).stdout)
        for words in ("data toy", "data nmt.toy", "baseline ngram")
    )
    assert one in many
    assert [found["name"] for found in alone] == ["lm.ngram"]


def test_an_option_without_default_is_required():
    (files,) = describe("data", "nmt.files")
    required = {option["name"] for option in files.to_plain()["options"] if option["required"]}
    assert required == {"train", "valid", "test", "source", "target"}


def test_inherited_options_are_documented_too():
    (toy,) = describe("data", "nmt.toy")
    assert all(option.doc for option in toy.options.values())


@pytest.mark.parametrize("kind", ["net", "trainer"])
def test_what_there_is_one_of_needs_no_name(kind):
    (found,) = describe(kind, None)
    assert (found.kind, found.name) == (kind, "")
    assert found.options


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("cel", "gru", "no such kind 'cel'; did you mean 'cell'?"),
        ("lstm", None, "no such kind 'lstm'; did you mean `rnnx show cell lstm`?"),
        ("ngram", None, "no such kind 'ngram'; did you mean `rnnx show baseline ngram`?"),
        ("data", "nmt", "data: 'nmt' is a task; expected one of nmt.files, nmt.hub, nmt.toy"),
        ("cell", "gruu", "cell: no such cell 'gruu'; did you mean 'gru'?"),
        ("cell", None, f"cell: expected a name, one of {CELLS}"),
        ("data", "toyy", "data: no such data 'toyy'; did you mean 'toy'?"),
        ("data", "nmt.toyy", "data: no such data 'toyy' of task 'nmt'; did you mean 'toy'?"),
        ("net", "gru", "net: there is only one, so it takes no name; got 'gru'"),
    ],
)
def test_what_there_is_not(kind, name, problem):
    with pytest.raises(UsageError) as raised:
        describe(kind, name)
    assert str(raised.value).startswith(problem)
