"""Files that others made to do harm: real ones, and what comes of them."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnnx.core.errors import InputError, RunError
from rnnx.core.experiment import Experiment
from rnnx.core.running.checkpoints import read_checkpoint
from rnnx.tasks.data.lm.files import Files

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("cli/src/**/*.py")])
SMALL = (
    "task=memory", "data.train=64", "data.valid=8", "data.test=8", "trainer.max_epochs=1",
    "cell.hidden_size=4", "logger=none", "name=a",
)  # fmt: skip


class Trap:
    """What unpickles to a new folder, where it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sprung),)


def bare(trap: Trap) -> bytes:
    """A pickle, as the first version of torch wrote checkpoints."""
    return pickle.dumps({"state_dict": {}, "hyper_parameters": {}, "trap": trap})


def saved(trap: Trap) -> bytes:
    """What torch itself writes of it."""
    file = io.BytesIO()
    torch.save({"state_dict": {}, "hyper_parameters": {"meta": trap}}, file)
    return file.getvalue()


def legacy(trap: Trap) -> bytes:
    """The same without a zip file around it."""
    file = io.BytesIO()
    torch.save({"state_dict": trap, "hyper_parameters": {}}, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def exchanged(trap: Trap) -> bytes:
    """A good checkpoint whose ``data.pkl`` is another one."""
    whole, made = io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": {"w": torch.ones(2)}, "hyper_parameters": {}}, whole)
    with zipfile.ZipFile(whole) as good, zipfile.ZipFile(made, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, pickle.dumps(trap, 2) if name.endswith("data.pkl") else good.read(name))
    return made.getvalue()


def scripted(trap: Trap) -> bytes:
    """A TorchScript module, which is code."""
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Identity()), file)
    return file.getvalue()


KINDS: list[Callable[[Trap], bytes]] = [bare, saved, legacy, exchanged, scripted]


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    """It stays unsprung to the end."""
    made = Trap(tmp_path / "sprung")
    yield made
    assert not made.sprung.exists()


def test_the_trap_is_one(tmp_path: Path) -> None:
    pickle.loads(bare(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").is_dir()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_that_would_run_code_is_refused(kind: Callable[[Trap], bytes], trap: Trap) -> None:
    path = trap.sprung.with_name("a.ckpt")
    path.write_bytes(kind(trap))
    with pytest.raises(RunError, match="expected a checkpoint, but it "):
        read_checkpoint(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Experiment.from_words(*SMALL, f"out={tmp_path_factory.mktemp('runs')}").run().folder


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_neither_loading_nor_resuming_a_run_runs_it(
    kind: Callable[[Trap], bytes], trap: Trap, run: Path
) -> None:
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(kind(trap))
    with pytest.raises(RunError, match=r"best\.ckpt: expected a checkpoint, but it "):
        Experiment.load(run)
    with pytest.raises(RunError, match=r"\.ckpt: expected a checkpoint, but it "):
        Experiment.resume(run, "trainer.max_epochs=2")


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.gz"])
def test_vectors_are_text(name: str, trap: Trap) -> None:
    folder = trap.sprung.parent
    (folder / name).write_bytes(bare(trap))
    (folder / "text.txt").write_text("the cat\n" * 40)
    data = Files(text=str(folder / "text.txt"), vectors=str(folder / name))
    with pytest.raises(InputError, match=name):
        json.dumps(data.meta)


def test_an_array_of_objects_is_no_array(trap: Trap) -> None:
    from rnnx.tasks.parts.files.feature_file import read_features, read_grid

    path = trap.sprung.with_name("a.npy")
    np.save(path, np.array([[trap]], dtype=object), allow_pickle=True)
    for read in (read_features, read_grid):
        with pytest.raises(InputError, match=r"expected a NumPy file \(\.npy\) of plain numbers"):
            read(path)


FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "imp"),
    *("torch.jit", "torch.hub", "numpy.lib.npyio"),
}
FORBIDDEN_CALLS = {
    *("__import__", "os.system", "os.popen", "np.load", "numpy.load"),
    *("torch.hub.load", "shutil.unpack_archive", "pickle.load", "pickle.loads", "yaml.load"),
}  # fmt: skip
KERNEL = ROOT / "packages/core/src/rnnx/core/unrolling/kernels/triton/kernel.py"
FORBIDDEN_METHODS = {"extract", "extractall", "unsafe_load", "load_from_checkpoint"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_the_source_unpickles_unpacks_or_runs_what_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                assert FORBIDDEN_MODULES.isdisjoint(alias.name for alias in names)
            case ast.ImportFrom(module=module):
                assert module not in FORBIDDEN_MODULES
            case ast.Call(func=function, keywords=keywords):
                name = ast.unparse(function)
                said = {keyword.arg: ast.unparse(keyword.value) for keyword in keywords}
                assert name not in FORBIDDEN_CALLS
                assert name != "eval" or path.name == "options.py"  # of an annotation, once code is imported
                assert name not in ("exec", "compile") or path == KERNEL  # of what the engine wrote itself
                assert name.rpartition(".")[2] not in FORBIDDEN_METHODS
                assert name != "torch.load" or said.get("weights_only") == "True"
                assert said.get("allow_pickle", "False") == "False"
                assert said.get("shell", "False") == "False"
                assert said.get("trust_remote_code", "False") == "False"
