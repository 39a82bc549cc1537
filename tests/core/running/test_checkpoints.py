"""Files of checkpoints: written whole, read without execution."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch

from rnnx.core.errors import RunError
from rnnx.core.running.checkpoints import read_checkpoint
from rnnx.core.running.result import Result


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "executed"),))

    torch.save({"state_dict": {}, "hyper_parameters": Evil()}, tmp_path / "zip")
    (tmp_path / "pickle").write_bytes(pickle.dumps(Evil()))
    for name in ("zip", "pickle"):
        with pytest.raises(RunError):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "executed").exists()


class Malicious:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_damaged_checkpoint_is_refused(done: Result, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    whole = (done.folder / "checkpoints/best.ckpt").read_bytes()
    for piece in (b"", whole[:100], whole[: len(whole) // 2], whole[:-1], b"no checkpoint\n", bytes(1000)):
        path.write_bytes(piece)
        with pytest.raises(RunError) as refused:
            read_checkpoint(path)
        assert str(refused.value) == (
            f"{path}: expected a checkpoint, but it is cut off or no checkpoint; "
            "use another one, or train again"
        )


def test_a_strange_checkpoint_is_refused_and_not_executed(tmp_path: Path) -> None:
    path, trap = tmp_path / "best.ckpt", tmp_path / "trap"
    torch.save({"state_dict": Malicious(trap), "hyper_parameters": {}}, path)
    with pytest.raises(RunError, match="something other than tensors and plain data"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Malicious(trap)))
    with pytest.raises(RunError, match="expected a checkpoint"):
        read_checkpoint(path)
    assert not trap.exists()
    with ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(RunError, match="expected a checkpoint"):
        read_checkpoint(path)
    for strange in ({"model": torch.zeros(2)}, torch.zeros(2)):
        torch.save(strange, path)
        with pytest.raises(RunError, match="it holds no model"):
            read_checkpoint(path)
