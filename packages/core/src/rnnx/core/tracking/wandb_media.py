"""What Weights & Biases shows of a run beside its metrics: samples, charts, the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.gradient_flow import Flow
from rnnx.core.running.checkpoints import BEST
from rnnx.core.runs import CONFIG, RESULT

if TYPE_CHECKING:
    import wandb
    from wandb.plot.custom_chart import CustomChart


def table(samples: Sequence[Mapping[str, Exhibit]]) -> wandb.Table:
    """Samples as a table of W&B's: a column of texts, or of HTML where any of its exhibits has that."""
    import wandb

    rich = {name for row in samples for name, exhibit in row.items() if exhibit.html is not None}
    rows = [
        [
            wandb.Html(exhibit.html or escape(exhibit.text), inject=False) if name in rich else exhibit.text
            for name, exhibit in row.items()
        ]
        for row in samples
    ]
    return wandb.Table(columns=list(samples[0]), data=rows)


def charts(flows: Sequence[Flow]) -> dict[str, CustomChart]:
    """Charts of W&B's: the decimal logarithm of norms against the lag, a line for each layer.

    What is zero or not finite is left out.
    """
    import wandb

    charts = {}
    for name, title, curves in (
        ("loss", "gradient of the loss at the state: log10 of its norm", [flow.loss for flow in flows]),
        ("state", "memory of the state: log10 of its gradient's norm", [flow.state for flow in flows]),
    ):
        points = [
            [(lag, math.log10(norm)) for lag, norm in enumerate(curve) if 0 < norm < math.inf]
            for curve in curves
        ]
        if any(points):
            charts[f"flow/{name}"] = wandb.plot.line_series(
                [[lag for lag, _ in line] for line in points],
                [[norm for _, norm in line] for line in points],
                keys=[flow.layer for flow in flows],
                title=title,
                xname="lag",
            )
    return charts


def artifact(run: Any, folder: Path, values: Mapping[str, Any]) -> wandb.Artifact:
    """What of a run's folder ``rnnx predict`` and ``rnnx test`` need, at the same places."""
    import wandb

    artifact = wandb.Artifact(f"model-{run.id}", "model", metadata=dict(values))
    for name in (CONFIG, RESULT, BEST):
        artifact.add_file(str(folder / name), name, policy="immutable")
    return artifact
