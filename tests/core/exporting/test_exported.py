from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from rnnx.core.errors import InputError, RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.exporting import exported
from rnnx.core.run import Run
from rnnx.core.task import Task

FEW = ("data.valid=8", "data.test=8")
LINES = ["la niña come la manzana roja", "", "una casa"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model that was not trained; its embedding is its output's matrix."""
    words = ("task=nmt", "cell.hidden_size=8", "task.embedding_size=8", "data.train=40")
    experiment = Experiment.from_words(*words, *FEW)
    _, task = experiment.prepare()
    assert isinstance(task, Task)
    return Run(tmp_path_factory.mktemp("run"), experiment.config, task.eval())


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    exported.write(run, tmp_path / "some" / "model")
    return tmp_path / "some" / "model"


def test_a_model_is_loaded_as_it_was_bit_for_bit(run: Run, folder: Path) -> None:
    loaded = Run.load(folder)
    assert loaded.config == run.config
    assert loaded.task.hparams["meta"] == run.task.hparams["meta"]
    states = loaded.task.state_dict(), run.task.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    assert list(loaded.predict(LINES, scores=True)) == list(run.predict(LINES, scores=True))


def test_what_is_one_parameter_is_one_in_the_file(run: Run, folder: Path) -> None:
    with safe_open(folder / exported.WEIGHTS, "pt") as file:
        sizes = [file.get_tensor(name).numel() for name in file.keys()]  # noqa: SIM118 - no mapping
    assert sum(sizes) == sum(parameter.numel() for parameter in run.task.parameters())


def test_the_folder_is_whole_and_for_all_who_may_read_it(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"README.md", "config.yaml", "model.json", "model.safetensors"}
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_what_the_run_came_to_goes_along(run: Run, tmp_path: Path) -> None:
    values = {
        "test": {"bleu": 12.5},
        "valid": {"bleu": 13.5},
        "seconds": {"fit": 1.0},
        "throughput": {},
        "parameters": 7,
        "seed": 1,
        "versions": {"rnnx": "0"},
        "command": "",
    }
    (tmp_path / "result.json").write_text(json.dumps(values))
    exported.write(Run(tmp_path, run.config, run.task), tmp_path / "model")
    assert json.loads((tmp_path / "model" / "result.json").read_text()) == values
    assert "| bleu | 13.5 | 12.5 |" in (tmp_path / "model" / "README.md").read_text()


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(UsageError, match="model exists already, and nothing in it is overwritten"):
        exported.write(run, tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())


def test_a_folder_that_cannot_be_made_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file: the folder could not be made"):
        exported.write(run, tmp_path / "file" / "model")


def test_a_model_that_fails_half_way_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InputError):
        exported.write(Run(tmp_path, run.config, run.task), tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}", "expected weights as safetensors, but it is damaged"),
        ("model.safetensors", b"", "expected weights as safetensors, but it is damaged"),
        ("model.json", b"[]", "expected what rnnx export wrote: expected an object with net and meta"),
        ("model.json", b"\xff", "expected what rnnx export wrote"),
        ("model.json", b"[" * 10**5, "expected what rnnx export wrote"),
    ],
    ids=["cut", "empty", "list", "bytes", "deep"],
)
def test_a_damaged_file_is_told(folder: Path, name: str, content: bytes, problem: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        Run.load(folder)
    assert str(folder / name) in str(caught.value)


def test_weights_of_another_model_are_told(run: Run, folder: Path, tmp_path: Path) -> None:
    experiment = Experiment.from_words("task=nmt", "cell.hidden_size=4", "data.train=40", *FEW)
    _, task = experiment.prepare()
    assert isinstance(task, Task)
    exported.write(Run(tmp_path, experiment.config, task), tmp_path / "other")
    shutil.copy(tmp_path / "other" / exported.WEIGHTS, folder)
    with pytest.raises(RunError, match="expected the model of the run's configuration"):
        Run.load(folder)
