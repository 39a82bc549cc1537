"""What Weights & Biases shows beside metrics."""

from __future__ import annotations

import math

from rnnx.core.gradient_flow import Flow
from rnnx.core.tracking import wandb_media


def test_norms_that_have_no_logarithm_are_left_out() -> None:
    def flow(layer: str, curve: tuple[float, ...]) -> Flow:
        return Flow(layer, curve, (0.0, 0.0), None, math.nan, 0.0, None, None)

    charts = wandb_media.charts([flow("a", (1.0, 0.0, 100.0)), flow("b", (math.nan, math.inf, 0.1))])
    assert list(charts) == ["flow/loss"]
    assert charts["flow/loss"].table.data == [[0, "a", 0.0], [2, "a", 2.0], [2, "b", -1.0]]
    assert wandb_media.charts([]) == {}
