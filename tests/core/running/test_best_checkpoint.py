"""The best model's checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from rnnx.core.running.best_checkpoint import Best

NAN = float("nan")
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Told(L.LightningModule):
    """Learns nothing, and has the validation metric that it is told."""

    def __init__(self, values: tuple[float, ...]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.values = values

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return self.weight * 0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("valid/told", self.values[self.current_epoch], batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.weight], 0.1)


class Seen(L.Callback):
    """Notes after each validation of which epoch the best model is, and after which steps those kept were."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epochs: list[int] = []
        self.kept: list[tuple[int, ...]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.epochs.append(torch.load(self.folder / "best.ckpt")["epoch"])
        steps = (int(path.stem.removeprefix("step-")) for path in self.folder.glob("step-*.ckpt"))
        self.kept.append(tuple(sorted(steps)))


def fit(best: Best, values: tuple[float, ...], folder: Path, checkpoint: Path | None = None) -> Seen:
    """Trains as many epochs as there are values, each of one step, and one validation with its value."""
    seen = Seen(folder / "checkpoints")
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=len(values),
        callbacks=[best, seen],
        logger=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Told(values), [0], [0], ckpt_path=checkpoint)
    return seen


@pytest.mark.parametrize(
    ("mode", "values", "saved"),
    [
        ("max", (1.0, 3.0, 2.0, 3.0), [0, 1, 1, 1]),
        ("min", (3.0, 1.0, 2.0, 0.5), [0, 1, 1, 3]),
        ("max", (NAN, 1.0, NAN, 2.0), [0, 1, 1, 3]),
    ],
)
def test_the_best_is_the_best(mode: Any, values: tuple[float, ...], saved: list[int], tmp_path: Path) -> None:
    seen = fit(Best(tmp_path, "valid/told", mode), values, tmp_path)
    assert seen.epochs == saved
    assert set(seen.kept) == {()}


@pytest.mark.parametrize(
    ("mode", "many", "values", "saved", "kept"),
    [
        ("max", 2, (1.0, 3.0, 2.0, 0.0), [0, 1, 1, 1], [(1,), (1, 2), (2, 3), (2, 3)]),
        ("min", 2, (1.0, 3.0, 2.0, 0.0), [0, 0, 0, 3], [(1,), (1, 2), (1, 3), (1, 4)]),
        ("max", 2, (1.0, 1.0, 1.0, 2.0), [0, 0, 0, 3], [(1,), (1, 2), (1, 2), (1, 4)]),
        ("max", 3, (NAN, 1.0, NAN, 2.0), [0, 1, 1, 3], [(), (2,), (2,), (2, 4)]),
        ("min", -1, (1.0, 2.0, 0.5, 9.0), [0, 0, 2, 2], [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]),
    ],
)
def test_the_best_are_kept_by_their_steps(
    mode: Any, many: int, values: tuple[float, ...], saved: list[int], kept: list[Any], tmp_path: Path
) -> None:
    """An epoch is a step; epochs are counted from 0, the steps made from 1."""
    seen = fit(Best(tmp_path, "valid/told", mode, many), values, tmp_path)
    assert (seen.epochs, seen.kept) == (saved, kept)
    for step in kept[-1]:
        assert torch.load(tmp_path / "checkpoints" / f"step-{step}.ckpt")["global_step"] == step


@pytest.mark.parametrize(("many", "kept"), [(3, (1, 3, 4)), (2, (1, 4)), (1, ()), (-1, (1, 2, 3, 4))])
def test_a_run_that_goes_on_may_keep_another_number(many: int, kept: tuple[int, ...], tmp_path: Path) -> None:
    values = (4.0, 1.0, 2.0, 3.0)
    assert fit(Best(tmp_path, "valid/told", "max", 3), values[:3], tmp_path).kept[-1] == (1, 2, 3)
    shutil.copy(tmp_path / "checkpoints" / "step-3.ckpt", tmp_path / "last.ckpt")
    seen = fit(Best(tmp_path, "valid/told", "max", many), values, tmp_path, tmp_path / "last.ckpt")
    assert seen.kept[-1] == kept


def test_what_was_written_before_others_were_kept_is_taken_up(tmp_path: Path) -> None:
    best = Best(tmp_path, "valid/told", "max", 2)
    best.load_state_dict({"best": 3.0})
    assert best.state_dict() == {"best": 3.0, "kept": {}}
