from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from rnnx.core.config import Config
from rnnx.core.errors import RunWarning, UsageError
from rnnx.core.registry import plugins
from rnnx.core.sweeps.combinations import Combinations


def pairs(configs: Sequence[Config]) -> list[tuple[str, str, int, str | None]]:
    return [(config.task.name, config.cell.name, config.seed, config.name) for config in configs]


def pairs_of(*words: str) -> list[tuple[str, str, int, str | None]]:
    return pairs(Combinations.parse(words).configs)


def test_commas_make_every_combination() -> None:
    configs = Combinations.parse(["cell=gru,elman", "net.layers=2", "task=nmt, lm", "seed=3,4"]).configs
    assert pairs(configs) == [
        (task, cell, seed, f"{task}-{cell}-{seed}")
        for task in ("nmt", "lm")
        for cell in ("gru", "elman")
        for seed in (3, 4)
    ]
    assert {config.net["layers"] for config in configs} == {2}


def test_what_is_said_twice_is_run_once() -> None:
    """Else a mean would have one run in it several times."""
    configs = Combinations.parse(["task=memory", "cell=gru,elman,gru", "seed=2,1,2"]).configs
    assert [config.name for config in configs] == [
        f"memory-{cell}-{seed}" for cell in ("gru", "elman") for seed in (2, 1)
    ]


def names(*words: str) -> list[str | None]:
    return [config.name for config in Combinations.parse(["task=memory", "cell=gru", *words]).configs]


def test_any_option_may_have_several_values() -> None:
    """Seeds are together, then the values of what is typed last; their order makes no other names."""
    configs = Combinations.parse(
        [
            "net.layers=1,2",
            "seed=3,4",
            "task=memory",
            "data=adding",
            "cell=elman,gru",
            "data.length=int:20..30..10",
        ]
    ).configs
    found = [(c.cell.name, c.net["layers"], c.data.options["length"], c.seed, c.name) for c in configs]
    assert found == [
        (cell, layers, length, seed, f"memory-{cell}-length={length}-layers={layers}-{seed}")
        for cell in ("elman", "gru")
        for layers in (1, 2)
        for length in (20, 30)
        for seed in (3, 4)
    ]


def test_a_component_may_have_several_values() -> None:
    assert names("optimizer=adam,sgd") == names("optimizer.name=adam,sgd")
    assert names("optimizer=adam,sgd") == ["memory-gru-optimizer=adam-1", "memory-gru-optimizer=sgd-1"]
    assert names("cell.name=elman,gru", "task.name=memory") == ["memory-elman-1", "memory-gru-1"]


def test_a_value_is_one_however_it_is_typed() -> None:
    """Else it would be run twice, and a run of the same words typed otherwise would not be found again."""
    assert names("optimizer.lr=1e-3, 0.001,1e-2") == ["memory-gru-lr=0.001-1", "memory-gru-lr=0.01-1"]
    assert names("optimizer.lr=0.01,1e-2") == ["memory-gru-lr=0.01-1"]
    assert names("net.layers=2,2") == ["memory-gru-1"]


def test_a_list_and_a_quoted_text_are_one_value() -> None:
    assert names("optimizer.betas=[0.9,0.99]") == ["memory-gru-1"]
    assert names("optimizer.betas=[0.9,0.99],[0.5, 0.999]") == [
        "memory-gru-betas=0.9,0.99-1",
        "memory-gru-betas=0.5,0.999-1",
    ]
    (config,) = Combinations.parse(
        ["task=lm", "cell=gru", "data=files", "data.train='a,b.txt'", "data.valid=v"]
    ).configs
    assert config.data.options["train"] == "a,b.txt"


def test_names_are_those_of_folders_and_no_two_are_alike() -> None:
    files = ["task=lm", "cell=gru", "data=files", "data.valid=v"]
    typed = ["a/b.txt", "a_b.txt", "a b.txt", "'1'", "1.txt", "'a,b'", "..", "ä", "x" * 200, f"{'x' * 200}y"]
    found = [c.name or "" for c in Combinations.parse([*files, f"data.train={','.join(typed)}"]).configs]
    assert len({name.lower() for name in found}) == len(typed)
    assert all(re.fullmatch(r"lm-gru-train=[\w.,-]+-1", name, re.ASCII) for name in found)
    assert max(map(len, found)) < 160
    assert found[1] == "lm-gru-train=a_b.txt-1"
    assert re.fullmatch(r"lm-gru-train=a_b\.txt-[0-9a-f]{8}-1", found[0])


def test_options_of_one_name_are_told_with_their_sections() -> None:
    ner = ("task=ner", "net.layers=2")
    assert names(*ner, "task.dropout=0.1,0.2") == ["ner-gru-dropout=0.1-1", "ner-gru-dropout=0.2-1"]
    assert names(*ner, "net.dropout=0.0,0.5", "task.dropout=0.1,0.2")[1:3] == [
        "ner-gru-net.dropout=0.0-task.dropout=0.2-1",
        "ner-gru-net.dropout=0.5-task.dropout=0.1-1",
    ]


def test_all_cells_and_tasks_unless_some_are_said() -> None:
    cells, tasks = ({plugin.name for plugin in plugins(kind)} for kind in ("cell", "task"))
    assert {(t, c) for t, c, *_ in pairs_of()} == {(t, c) for t in tasks for c in cells}
    assert {(t, c) for t, c, *_ in pairs_of("task=lm")} == {("lm", c) for c in cells}
    assert {(t, c) for t, c, *_ in pairs_of("cell=gru", "task=all")} == {(t, "gru") for t in tasks}


def test_a_files_task_and_cell_stand_unless_others_are_said(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("task: lm\ncell: lstm\ncell.forget_bias: 1.0\nseed: 5\n")
    assert pairs_of(str(path)) == [("lm", "lstm", 5, "lm-lstm-5")]
    with pytest.warns(
        RunWarning, match=r"^cell.forget_bias is left out, as cell '(gru|rhn)' does not take it"
    ):
        configs = Combinations.parse([str(path), "cell=gru,rhn"]).configs
    assert [config.cell.name for config in configs] == ["gru", "rhn"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["cell=gru,elmann"], "no such cell 'elmann'; did you mean 'elman'"),
        (["seed=1,two"], "seed: expected an integer"),
        (["cell=gru", "task=lm", "optimizer.lr=1,x"], "optimizer.lr: expected a number above 0, got 'x'"),
        (
            ["cell=gru", "task=lm", "optimizer.lr=loguniform:1e-3..1"],
            "optimizer.lr: expected steps, as in a grid",
        ),
        (
            ["cell=clockwork", "task=lm", "cell.periods=1,2"],
            "cell.periods: expected a list of integers of at least 1, got 1 (commas alone are between "
            "several values; a list has brackets, as cell.periods=[1,2])",
        ),
        (["cell=lstm,gru", "task=lm", "cell.forget_bias=0,1"], "no such option of cell 'gru'"),
        (["cell=gru", "task=lm,ner", "task.embedding_sise=4,8"], "did you mean 'embedding_size'"),
        (["cell=gru", "task", "=", "lm"], "'task = lm': expected no blanks around the =; type task=lm"),
        (["cell=gru", "task=lm", "seed=1..3"], "got '1..3'; write seed=int:1..3"),
        (["name=mine"], "name: each run is named"),
        (["name=mine,yours"], "name: each run is named"),
        (["trainer.limit_test_batches=1.0,0"], "trainer.limit_test_batches: expected at least one batch, "),
        (["out=here,there"], "out: expected one folder, which holds all runs"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(words: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        Combinations.parse(words)


def test_a_run_of_many_has_one_process() -> None:
    with pytest.raises(
        UsageError, match=r"trainer.devices: expected 1, as each of many runs has one process"
    ):
        Combinations.parse(["cell=gru,elman", "task=nmt", "trainer.devices=2"])
