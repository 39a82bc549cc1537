from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path

import pytest
import torch

from rnnx.cli.skeleton import Names, Skeleton
from rnnx.core import engine
from rnnx.core.declarations.docstrings import documentation
from rnnx.core.errors import RunError, UsageError
from rnnx.core.testing import check_cell, checks
from rnnx.core.testing.kit import problem

TASKS = sorted(entry_points(group="rnnx.tasks").names)
NEW = [("cell", "tiny-unit"), ("task", "tiny-task"), *(("data", f"{task}.tiny-texts") for task in TASKS)]

MORE = "ANN,B,I,UP"  # rules of ruff that are off by default: types, likely bugs, imports, today's Python

each = pytest.mark.parametrize(("kind", "name"), NEW)
each_task = pytest.mark.parametrize("task", TASKS)


def written(kind, name, folder):
    """The distribution as somebody has it who has not changed it."""
    Skeleton.of(Names(kind, name)).write(folder)
    return folder


def imported(kind, name, part, folder, monkeypatch):
    """The class of a new distribution that is not installed."""
    names = Names(kind, name)
    monkeypatch.syspath_prepend(written(kind, name, folder / "made"))
    for module in [module for module in sys.modules if module.partition(".")[0] == names.module]:
        monkeypatch.delitem(sys.modules, module)
    return import_module(names.module + part)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *product(
            ["cell", "task"], ["", "Mine", "my cell", "7up", "my--cell", "my.cell", "-a", "señal", "../up"]
        ),
        *product(["cell", "task"], ["class", "none", "a\n"]),
        *product(["data"], ["mine", "nmt.", ".mine", "nmt.a.b", "nmt.Mine", "nmt.true"]),
    ],
)
def test_a_name_that_cannot_be_is_refused(kind, name):
    with pytest.raises(UsageError, match=f"^{kind}: "):
        Names(kind, name)


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("cell", "gru", "cell 'gru' is there already, of distribution 'rnnx-cells'"),
        ("task", "nmt", "task 'nmt' is there already, of distribution 'rnnx-tasks'"),
        ("data", "nmt.toy", "data 'toy' of task 'nmt' is there already, of distribution 'rnnx-tasks'"),
        ("data", "nmtt.mine", "no such task 'nmtt'; did you mean 'nmt'?"),
        ("cell", "torch", "there is a module 'torch' already"),
        ("cell", "random", "there is a module 'random' already"),
        ("task", "rnnx", "there is a module 'rnnx' already"),
    ],
)
def test_a_name_that_is_taken_is_refused(kind, name, problem):
    with pytest.raises(UsageError, match=re.escape(problem)):
        Skeleton.of(Names(kind, name))


@each
def test_a_class_never_hides_what_its_module_needs(kind, name):
    files = Skeleton.of(Names(kind, name)).files
    trees = [ast.parse(text) for path, text in files.items() if path.endswith(".py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    needed = {alias.name for node in imports for alias in node.names}
    task = name.rpartition(".")[0]
    for short in {name.lower() for name in needed if name.isalnum() and name == name.capitalize()}:
        with pytest.raises(UsageError, match=f"'{short.capitalize()}', as one that it needs"):
            Skeleton.of(Names(kind, f"{task}.{short}" if task else short))


@pytest.mark.parametrize(
    ("data", "like"),
    [
        ("parity.toy = parity.toy:Toy", "a class like parity.toy:Toy"),
        ("parity.other = parity.toy:Toy", "a subclass of rnnx.core.data.Data"),
        ("parity.toy = alone:Toy", "a class like alone:Toy"),
    ],
)
def test_a_task_that_says_nothing_of_its_data_is_refused_by_name(data, like, tmp_path, monkeypatch):
    written("task", "parity", tmp_path / "parity")
    info = tmp_path / "parity-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parity\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[rnnx.tasks]\nparity = parity.task:Parity\n[rnnx.data]\n{data}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "parity")
    with pytest.raises(UsageError) as refused:
        Skeleton.of(Names("data", "parity.mine"))
    assert str(refused.value) == (
        f"data: task 'parity' of distribution 'parity' 1.0 has no template; write {like}, and name it in "
        "your pyproject.toml, 'parity.mine' = 'MODULE:CLASS' under [project.entry-points.'rnnx.data']"
    )


@each
def test_what_is_written_is_complete_and_in_good_form(kind, name, tmp_path):
    folder = written(kind, name, tmp_path / "made")
    names = Names(kind, name)
    top = {path.name for path in folder.iterdir()}
    assert {".gitignore", "README.md", "pyproject.toml", f"test_{names.module}.py"} <= top
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == names.distribution
    group = {"cell": "rnnx.cells", "task": "rnnx.tasks", "data": "rnnx.data"}[kind]
    module, _, cls = project["entry-points"][group][name].partition(":")
    assert cls == names.class_name
    assert f"class {cls}(" in (folder / Path(*module.split("."))).with_suffix(".py").read_text()
    texts = [path.read_text() for path in folder.rglob("*") if path.suffix not in (".npy", ".png", "")]
    assert not [text for text in texts if "$" in text]
    for command in ("check", "format --check", f"check --select {MORE} --ignore ANN401"):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command.split(), "--isolated", "--no-cache", folder],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_what_is_there_is_left_as_it_is(tmp_path):
    skeleton = Skeleton.of(Names("cell", "tiny"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(UsageError, match=f"{name}' is there already; take another name, or say --path"):
            skeleton.write(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
    assert list((tmp_path / "folder").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    skeleton = Skeleton.of(Names("data", "nmt.tiny"))
    sizes = sorted(len(content) for content in skeleton.files.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[-2], hard))  # all but one find room
    try:
        with pytest.raises(RunError, match=r"could not be written: File too large"):
            skeleton.write(tmp_path / "tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden ones too


def test_a_new_cell_is_right_and_its_step_is_taken_apart(tmp_path, monkeypatch):
    cell_class = imported("cell", "tiny-unit", "", tmp_path, monkeypatch).TinyUnit
    assert [found for _, found in check_cell(cell_class) if found] == []
    assert "f_t &= \\sigma(" in documentation(cell_class)
    cell = cell_class(3, hidden_size=4)
    x = torch.randn(2, 5, 3)
    y, _ = engine.scan(cell, x, torch.tensor([5, 3]))  # a warning, that it goes step by step, is an error
    y.sum().backward()


def test_a_new_cell_is_the_minimal_gated_unit(tmp_path, monkeypatch):
    cell = imported("cell", "tiny-unit", "", tmp_path, monkeypatch).TinyUnit(2, hidden_size=1, gate_bias=0.5)
    with torch.no_grad():
        cell.input.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        cell.input.bias.copy_(torch.tensor([0.1, 0.2]))
        cell.gate.weight.fill_(0.3)
        cell.candidate.weight.fill_(0.4)
    y, (h,) = cell.step(cell.project(torch.tensor([[0.5, -0.5]])), (torch.tensor([[0.8]]),))
    f = 1 / (1 + 2.718281828459045 ** -(0.5 + 0.1 + 0.3 * 0.8))
    a = -0.5 + 0.2 + 0.4 * f * 0.8
    n = (2.718281828459045 ** (2 * a) - 1) / (2.718281828459045 ** (2 * a) + 1)
    assert y.item() == pytest.approx((1 - f) * 0.8 + f * n, rel=1e-5)
    assert torch.equal(y, h)


def test_half_of_a_new_tasks_lines_are_balanced_and_each_label_is_true(tmp_path, monkeypatch):
    toy = imported("task", "tiny-task", ".toy", tmp_path, monkeypatch)
    data = toy.Toy(train=400, pairs=3)
    data.prepare()
    labels = []
    for batch in data.loader("train"):
        for numbers, length, label in zip(batch.inputs.tolist(), batch.lengths, batch.targets, strict=True):
            text = "".join("()"[number] for number in numbers[:length])
            while "()" in text:
                text = text.replace("()", "")
            assert (text == "") == bool(label)
            labels.append(int(label))
    assert len(labels) == 400
    assert 160 < sum(labels) < 240


@each_task
def test_new_data_holds_what_its_task_learns_from(task, tmp_path, monkeypatch):
    data = imported("data", f"{task}.tiny-texts", ".data", tmp_path, monkeypatch).TinyTexts()
    task_class = entry_points(group="rnnx.tasks")[task].load()
    for check in checks("data")[:4]:
        assert problem(check, task_class, data) is None


@each_task
def test_new_data_is_nobody_elses(task, tmp_path, monkeypatch):
    """Without its options it reads what lies beside it, and with them what is where they say."""
    module = imported("data", f"{task}.tiny-texts", ".data", tmp_path, monkeypatch)
    if task == "memory":
        return
    data = module.TinyTexts(folder=str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        data.prepare()
