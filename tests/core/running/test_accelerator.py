from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from rnnx.core.experiment import Experiment
from rnnx.core.running.accelerator import accelerator, accelerators


@pytest.mark.parametrize(("there", "meant"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch, there: bool, meant: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert accelerator("auto") == meant
    assert accelerator("cpu") == "cpu"
    assert accelerator("tpu") == "tpu"


@pytest.mark.parametrize(
    ("cuda", "apple", "there"),
    [
        (False, False, ["cpu"]),
        (True, False, ["cpu", "gpu", "cuda"]),
        (False, True, ["cpu", "gpu"]),
    ],
)
def test_what_a_machine_has(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, apple: bool, there: list[str]
) -> None:
    monkeypatch.setattr(CUDAAccelerator, "is_available", lambda: cuda)
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: apple)
    assert accelerators() == there


def test_a_run_where_apples_is_there_trains_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning would take Apple's, on which this machine cannot even make a tensor."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    small = ("task=memory", "data.train=16", "data.valid=8", "data.test=8", "cell.hidden_size=4")
    words = (*small, "trainer.max_epochs=1", "logger=none", f"out={tmp_path}")
    assert (Experiment.from_words(*words).run().folder / "result.json").is_file()
