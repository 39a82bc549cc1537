"""From words and files to a configuration, with a small zoo of components."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnx.core import resolution
from rnnx.core.errors import RunError, UsageError
from rnnx.core.resolution import resolve
from rnnx.core.spec import Spec
from rnnx.core.yaml import yaml
from tests.core.typed import KEYS, problems, resolved, write

pytestmark = pytest.mark.usefixtures("zoo")


DEFAULT = """\
task:
  name: nmt
  attention: additive
cell:
  name: gru
  hidden_size: 256
  reset: after
  activation: tanh
  rate: 0.1
  sizes:
  - 1
  - 2
  label: ''
data:
  name: toy
  batch_size: 64
  sentences: 100
optimizer:
  name: adam
  lr: 0.001
schedule:
  name: constant
logger:
  name: wandb
net:
  layers: 1
  dropout: 0.0
trainer:
  max_epochs: 10
  rate: 1.0
seed: 1
name: null
out: runs
"""


def test_without_a_word_everything_is_default_and_nothing_is_imported() -> None:
    config = resolve([])
    assert config.yaml() == DEFAULT
    assert config.baseline is None
    assert "zoo" not in sys.modules


def test_words_set_names_options_and_keys() -> None:
    config = resolve(
        [
            "cell=lstm",
            "cell.hidden_size=512",
            "net.layers=2",
            "optimizer.lr=3e-4",
            "seed=7",
            "name=2024",
            "out=o=p",
        ]
    )
    assert config.cell == Spec("cell", "lstm", {"hidden_size": 512, "peephole": False, "activation": "tanh"})
    assert config.net == {"layers": 2, "dropout": 0.0}
    assert config.optimizer.options == {"lr": 3e-4}
    assert (config.seed, config.name, config.out) == (7, "2024", "o=p")


def test_the_order_of_name_and_options_in_one_place_does_not_matter() -> None:
    assert resolve(["cell.peephole=true", "cell=lstm"]) == resolve(["cell=lstm", "cell.peephole=true"])


def test_later_wins() -> None:
    write("x.yaml", "seed: 2\ncell.hidden_size: 5\n")
    assert resolve(["seed=1", "x.yaml"]).seed == 2
    assert resolve(["x.yaml", "seed=1"]).seed == 1
    assert resolve(["x.yaml", "cell.hidden_size=6", "cell.hidden_size=7"]).cell.options["hidden_size"] == 7


@pytest.mark.parametrize(
    "text",
    [
        "cell: lstm\ncell.hidden_size: 3\noptimizer.lr: 1e-4\nname: no\n",
        "cell: {name: lstm, hidden_size: 3}\noptimizer:\n  lr: 1e-4\nname: no\n",
        "cell:\n  hidden_size: 3\n  name: lstm\noptimizer: {name: adam, lr: 0.0001}\nname: 'no'\n",
        "cell.name: lstm\ncell: {hidden_size: 3}\noptimizer.lr: 1E-4\nschedule:\nnet:\nname: no\n",
    ],
)
def test_yaml_is_dotted_or_nested_and_of_version_1_2(text: str) -> None:
    words = ["cell=lstm", "cell.hidden_size=3", "optimizer.lr=1e-4", "name=no"]
    assert resolve([write("x.yaml", text)]) == resolve(words)


def test_an_empty_file_says_nothing() -> None:
    assert resolve([write("x.yaml", "# nothing\n")]) == resolve([])


def test_data_is_that_of_the_task() -> None:
    config = resolve(["task=lm", "data.columns={a: 1}"])
    assert config.data == Spec("data", "lm.toy", {"batch_size": 32, "columns": {"a": 1}})
    assert config.to_plain()["data"]["name"] == "toy"
    assert problems("task=lm", "data=files") == ("data: no such data 'files' of task 'lm' (data: toy)",)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("task = lm", {"task = lm": "task=lm"}),
        ("cell=gru task =lm net.layers= 2", {"task =lm": "task=lm", "net.layers= 2": "net.layers=2"}),
        ("cell.rate = 0.5 seed=1", {"cell.rate = 0.5": "cell.rate=0.5"}),
    ],
)
def test_blanks_around_the_equals_sign_are_told(typed: str, meant: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(typed.split())
    assert refused.value.problems == tuple(
        f"{said!r}: expected no blanks around the =; type {word}" for said, word in meant.items()
    )


def test_what_is_empty_is_no_word_taken_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another word follows that stands by itself, or none."""
    monkeypatch.chdir(tmp_path)
    write("some.yaml", "seed: 3")
    for words in (["cell.label=", "seed=2"], ["cell.label=", "some.yaml"], ["cell.label="]):
        assert resolve(words).cell.options["label"] == ""


def test_a_baseline_is_optional() -> None:
    config = resolve(["task=lm", "baseline=ngram", "baseline.order=3"])
    assert config.baseline == Spec("baseline", "lm.ngram", {"order": 3})
    config.dump(Path("x.yaml"))
    assert resolve(["x.yaml"]) == config
    without, told = resolved("x.yaml", "baseline=null")
    assert without.baseline is None
    assert told == ["baseline.order is left out, as no baseline is chosen (x.yaml:27)"]
    assert problems("baseline.order=3") == ("baseline.order: no baseline is chosen; add baseline=NAME",)


def test_every_problem_is_told_at_once_before_anything_is_imported() -> None:
    assert problems(
        "cell=gruu",
        "task.attention=aditive",
        "data=files",
        "data.trian=a",
        "optimizer.lr=fast",
        "net.layer=2",
        "seed=x",
        "celll=gru",
        "gone.yaml",
    ) == (
        "'gone.yaml': expected KEY=VALUE or the path of a YAML file, and there is no such file",
        "task.attention: 'aditive' is not one of additive, dot, none; did you mean 'additive'?",
        "cell: no such cell 'gruu'; did you mean 'gru'? (cells: gru, lstm)",
        "data.trian: no such option of data 'files'; did you mean 'train'?",
        "data.train: option of data 'files' is required",
        "data.valid: option of data 'files' is required",
        "optimizer.lr: expected a number, got 'fast'",
        "net.layer: no such option of net; did you mean 'layers'?",
        "seed: expected an integer from 0 to 4294967295, got 'x'",
        "no such key 'celll'; did you mean 'cell'?",
    )


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("cell.hiden_size=3", "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'?"),
        ("hidden_size=3", "no such key 'hidden_size'; did you mean 'cell.hidden_size'?"),
        ("layers=3", "no such key 'layers'; did you mean 'net.layers'?"),
        ("epochs=3", "no such key 'epochs'; did you mean 'trainer.max_epochs'?"),
        ("learning_rate=3", "no such key 'learning_rate'; did you mean 'optimizer.lr'?"),
        (
            "optimizer.learning_rate=3",
            "optimizer.learning_rate: no such option of optimizer 'adam'; did you mean 'lr'?",
        ),
        ("rate=3", "no such key 'rate'; did you mean 'cell.rate' or 'trainer.rate'?"),
        ("celll.hidden_size=3", "no such key 'celll.hidden_size'; did you mean 'cell.hidden_size'?"),
        ("trainr.epochs=3", "no such key 'trainr.epochs'; did you mean 'trainer.max_epochs'?"),
        ("training.batch_size=3", "no such key 'training.batch_size'; did you mean 'data.batch_size'?"),
        ("training.epochs=3", "no such key 'training.epochs'; did you mean 'trainer.max_epochs'?"),
        ("model.num_layers=3", "no such key 'model.num_layers'; did you mean 'net.layers'?"),
        ("num_layers=3", "no such key 'num_layers'; did you mean 'net.layers'?"),
        ("cell.num_layers=3", "cell.num_layers: no such option of cell 'gru'; did you mean 'net.layers'?"),
        ("cell.dropout=3", "cell.dropout: no such option of cell 'gru'; did you mean 'net.dropout'?"),
        ("trainer.lr=3", "trainer.lr: no such option of trainer; did you mean 'optimizer.lr'?"),
        ("trainer.zzz=3", "trainer.zzz: no such option of trainer (options: max_epochs, rate)"),
        ("model_dir=x", "no such key 'model_dir'; did you mean 'out'?"),
        ("model=lstm", "no such key 'model'; did you mean 'cell'?"),
        (
            "task.attention=bahdanau",
            "task.attention: 'bahdanau' is not one of additive, dot, none; did you mean 'additive'?",
        ),
        ("sed=3", "no such key 'sed'; did you mean 'seed'?"),
        (
            "zzz=3",
            f"no such key 'zzz' ({KEYS})",
        ),
        ("task=mnt", "task: no such task 'mnt'; did you mean 'nmt'? (tasks: lm, nmt)"),
        ("net=3", "net: takes no name, only options: net.OPTION=VALUE"),
        (
            "seed=1,2",
            "seed: expected an integer from 0 to 4294967295, got '1,2'; commas are between several values, "
            "which rnnx matrix and rnnx sweep take",
        ),
        (
            "task=lm,nmt",
            "task: no such task 'lm,nmt'; did you mean 'nmt'? (tasks: lm, nmt); commas are between several "
            "values, which rnnx matrix and rnnx sweep take",
        ),
        (
            "seed=1..3",
            "seed: expected an integer from 0 to 4294967295, got '1..3'; a range is what rnnx matrix and "
            "rnnx sweep take, as KIND:LOWEST..HIGHEST, such as int:1..3",
        ),
        ("seed=1.5", "seed: expected an integer from 0 to 4294967295, got 1.5"),
        ("seed=-1", "seed: expected an integer from 0 to 4294967295, got -1"),
        ("seed=4294967296", "seed: expected an integer from 0 to 4294967295, got 4294967296"),
        (
            "gru",
            "'gru': expected KEY=VALUE or the path of a YAML file, and there is no such file; "
            "did you mean 'cell=gru'?",
        ),
        (
            "GRU",
            "'GRU': expected KEY=VALUE or the path of a YAML file, and there is no such file; "
            "did you mean 'cell=gru'?",
        ),
        (".", "'.': expected KEY=VALUE or the path of a YAML file, and that is a folder"),
        ("a/b=3", "'a/b=3': expected KEY=VALUE or the path of a YAML file, and there is no such file"),
        ("schedule.zzz=3", "schedule.zzz: no such option of schedule 'constant' (options: none)"),
        (
            "schedule.rate=3",
            "schedule.rate: no such option of schedule 'constant'; did you mean 'cell.rate' or "
            "'trainer.rate'?",
        ),
        ("out=\udcff", "'out=\\udcff': expected text in UTF-8"),
        (
            "name=../esc",
            "name: expected that of a folder within the folder of runs, got '../esc'; leave the way to it "
            "out, or say the folder of runs by out=FOLDER",
        ),
    ],
)
def test_a_slip_is_told_with_what_was_meant(word: str, problem: str) -> None:
    assert problems(word) == (problem,)


def test_a_path_may_hold_an_equals_sign() -> None:
    Path("lr=3").mkdir()
    assert resolve([write("lr=3/x.yaml", "seed: 4")]).seed == 4


def test_a_problem_in_a_file_is_told_with_its_line() -> None:
    text = "cell:\n  name: gru\n  hiden_size: 3\noptimizer.lr: '3'\nwhat: 1\ntask: 3\ndata: tyo\nname: ''\n"
    assert problems(write("x.yaml", text)) == (
        "task: expected the name of a task, got 3 (x.yaml:6)",
        "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'? (x.yaml:3)",
        "data: no such data 'tyo' of task 'nmt'; did you mean 'toy'? (data: files, toy) (x.yaml:7)",
        "optimizer.lr: expected a number, got '3' (x.yaml:4)",
        "name: expected that of a folder within the folder of runs, got ''; leave the way to it out, or say "
        "the folder of runs by out=FOLDER (x.yaml:8)",
        f"no such key 'what' ({KEYS}) (x.yaml:5)",
    )


def test_no_file_can_have_any_name() -> None:
    word = "x" * 300
    expected = "expected KEY=VALUE or the path of a YAML file, and there is no such file"
    assert problems(word) == (f"{word!r}: {expected}",)


def test_another_cell_takes_what_it_knows_of_a_saved_configuration_and_says_what_not() -> None:
    resolve(["cell.hidden_size=3", "cell.activation=relu"]).dump(Path("config.yaml"))
    config, told = resolved("config.yaml", "cell=lstm")
    assert config.cell == Spec("cell", "lstm", {"hidden_size": 3, "peephole": False, "activation": "tanh"})
    assert told == [
        "cell.reset is left out, as cell 'lstm' does not take it (config.yaml:7)",
        "cell.activation is left out, as cell 'lstm' does not take it (config.yaml:8)",
        "cell.rate is left out, as cell 'lstm' does not take it (config.yaml:9)",
        "cell.sizes is left out, as cell 'lstm' does not take it (config.yaml:10)",
        "cell.label is left out, as cell 'lstm' does not take it (config.yaml:13)",
    ]


def test_what_is_typed_with_or_after_the_name_is_never_left_out() -> None:
    resolve([]).dump(Path("config.yaml"))
    wrong = ("cell.reset: no such option of cell 'lstm' (options: hidden_size, peephole, activation)",)
    assert problems("config.yaml", "cell=lstm", "cell.reset=after") == wrong
    assert problems("config.yaml", "cell.reset=after", "cell=lstm") == wrong
    assert problems("cell.reset=after", "cell=lstm") == wrong
    write("typo.yaml", "cell.hiden_size: 3")
    assert problems("typo.yaml", "cell=gru") == (
        "cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'? (typo.yaml:1)",
    )


def test_another_task_takes_its_own_data_of_the_same_name() -> None:
    resolve(["data.batch_size=7"]).dump(Path("config.yaml"))
    config, told = resolved("config.yaml", "task=lm")
    assert config.data == Spec("data", "lm.toy", {"batch_size": 7, "columns": None})
    assert told == [
        "task.attention is left out, as task 'lm' does not take it (config.yaml:3)",
        "data.sentences is left out, as data 'toy' does not take it (config.yaml:17)",
    ]


def test_a_component_that_has_to_be_imported_and_is_broken_is_named(install: Callable[..., Path]) -> None:
    install("foo-pkg", {"cells": {"foo": "foo:Foo"}}, foo="Foo = 1 / 0")
    with pytest.raises(
        RunError, match=r"^cell 'foo' of distribution 'foo-pkg' 1.0 cannot be imported: ZeroDiv"
    ):
        resolve(["cell=foo"])


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = {"torch", "lightning", "pydantic", "ruamel.yaml", "wandb", "rich"}
    code = f"import sys, rnnx.core.resolution; print({heavy} & set(sys.modules))"
    environment = {"PYTHONPATH": str(Path(resolution.__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.strip() == "set()"


TEXT = st.text(st.characters(codec="utf-8"))
ASSIGNMENTS: dict[str, st.SearchStrategy[Any]] = {
    "cell.hidden_size": st.integers(),
    "cell.reset": st.sampled_from(["before", "after"]),
    "cell.rate": st.floats(allow_nan=False),
    "cell.sizes": st.lists(st.integers()),
    "cell.label": TEXT,
    "optimizer.lr": st.floats(allow_nan=False),
    "net.layers": st.integers(),
    "seed": st.integers(0, 2**32 - 1),
    "name": st.none()
    | st.text(st.characters(codec="utf-8", exclude_characters="/.\0"), max_size=40).map("run{}".format),
    "out": TEXT,
}
CHOSEN = st.fixed_dictionaries({}, optional=ASSIGNMENTS)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CHOSEN)
def test_any_configuration_is_the_same_after_a_round_trip_through_yaml(chosen: dict[str, Any]) -> None:
    with Path("x.yaml").open("w", encoding="utf-8") as file:
        yaml().dump(chosen, file)
    config = resolve(["x.yaml"])
    for key, value in chosen.items():
        section, _, option = key.partition(".")
        assert (
            config.to_plain()[section] == value if not option else config.to_plain()[section][option] == value
        )
    config.dump(Path("y.yaml"))
    assert resolve(["y.yaml"]) == config


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["cell.hidden_size", "cell.rate", "cell.reset", "cell.sizes", "seed"]), st.data())
def test_typed_on_the_command_line_or_written_in_yaml_is_the_same(key: str, data: st.DataObject) -> None:
    value = data.draw(ASSIGNMENTS[key])
    text = str(value).replace("inf", ".inf")
    assert resolve([f"{key}={text}"]) == resolve([write("x.yaml", f"{key}: {text}\n")])
