"""Throughput, gradient norm and learning rate."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from rnnx.core.running.gradients import GradientNorm
from rnnx.core.running.meter import Meter


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class Line(L.LightningModule):
    """Loss ``3 w`` of one weight: its gradient is 3, whatever the data."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, batch_index: int) -> dict[str, Any]:
        return {"loss": 3 * self.weight.sum(), "count": torch.tensor(7)}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": halved, "interval": "step"}}


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec.*:FutureWarning")
@pytest.mark.parametrize(("every", "accumulated"), [(1, 1), (2, 1), (2, 3)])
def test_the_meter_measures(tmp_path: Path, every: int, accumulated: int) -> None:
    meter = Meter(every, GradientNorm())
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=L.pytorch.loggers.CSVLogger(tmp_path, name="", version=""),
        callbacks=[meter],
        log_every_n_steps=every,
        gradient_clip_val=0.1,
        accumulate_grad_batches=accumulated,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Line(), torch.utils.data.DataLoader(torch.zeros(4 * accumulated, 1)))
    rows = history(tmp_path)
    steps = [int(row["step"]) for row in rows]
    assert steps == list(range(every - 1, 4, every))
    assert [float(row["gradient_norm"]) for row in rows] == [3.0] * len(rows)  # not the clipped one
    assert [float(row["learning_rate"]) for row in rows] == [0.5 * 0.5**step for step in steps]
    assert meter.count == 4 * accumulated * 7
    assert meter.rate == pytest.approx(meter.count / meter.seconds)
    speeds = [float(row["tokens_per_second"]) for row in rows]
    assert math.fsum(7 * accumulated * every / speed for speed in speeds) == pytest.approx(
        meter.seconds, rel=1e-3
    )


def test_the_rate_of_nothing_is_zero() -> None:
    assert Meter(1, GradientNorm()).rate == 0
