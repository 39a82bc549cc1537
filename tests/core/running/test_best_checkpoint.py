"""The best model's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from rnnx.core.running.best_checkpoint import Best

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
    """Notes after each validation of which epoch the best model is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.epochs.append(torch.load(self.path)["epoch"])


@pytest.mark.parametrize(
    ("mode", "values", "saved"),
    [
        ("max", (1.0, 3.0, 2.0, 3.0), [0, 1, 1, 1]),
        ("min", (3.0, 1.0, 2.0, 0.5), [0, 1, 1, 3]),
        ("max", (float("nan"), 1.0, float("nan"), 2.0), [0, 1, 1, 3]),
    ],
)
def test_the_best_is_the_best(mode: Any, values: tuple[float, ...], saved: list[int], tmp_path: Path) -> None:
    best, seen = Best(tmp_path, "valid/told", mode), Seen(tmp_path / "checkpoints" / "best.ckpt")
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
    trainer.fit(Told(values), [0], [0])
    assert seen.epochs == saved
