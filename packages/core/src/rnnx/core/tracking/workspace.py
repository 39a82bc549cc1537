"""The view of a W&B project that compares its runs, made by W&B's own library, `wandb-workspaces`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rnnx.core.errors import UsageError
from rnnx.core.tracking.wandb_runs import STEP

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section

NAME: Final = "rnnx: comparison"
TRAINING: Final = ("gradient_norm", "learning_rate", "tokens_per_second")
LOGARITHMIC: Final = ("gradient_norm", "learning_rate")


def set_up(project: str, entity: str | None, metrics: Iterable[str], pictures: Iterable[str]) -> str:
    """Saves the view: runs by task and cell, those of several seeds as their mean; scores, curves, pictures.

    Args:
        project: The project's name.
        entity: The user or team; the key's own if None.
        metrics: What the runs' splits were measured by, ``loss`` among them.
        pictures: The names of the runs' pictures.

    Returns:
        The view's address.

    Raises:
        UsageError: the extra ``rnnx-core[workspaces]`` is not installed.
        Exception: whatever W&B raises, where it cannot be reached or does not take the view.
    """
    if find_spec("wandb_workspaces") is None:
        raise UsageError("expected the library that sets views up; pip install 'rnnx-core[workspaces]'")
    import wandb
    from wandb_workspaces import expr
    from wandb_workspaces import workspaces as ws

    view: Any = ws.Workspace(
        entity=entity or wandb.Api().default_entity or "",
        project=project,
        name=NAME,
        sections=_sections(sorted(metrics), sorted(pictures)),
        settings=ws.WorkspaceSettings(x_axis=STEP),
        runset_settings=ws.RunsetSettings(groupby=[expr.Config("task.name"), expr.Config("cell.name")]),
    )
    # the view's own `url` is wrong where its name happens to end in "nw"
    address, name = urlsplit(view.save().url), view._internal_name.removeprefix("nw-").removesuffix("-v")
    return address._replace(query=f"nw={name}").geturl()


def _sections(metrics: list[str], pictures: list[str]) -> list[Section]:
    from wandb_workspaces import workspaces as ws
    from wandb_workspaces.reports.v2 import interface as panels

    scores = [panels.BarPlot(title=f"test {name}", metrics=[f"test/{name}"]) for name in metrics]
    curves = [
        panels.LinePlot(
            title=name, x=STEP, y=["train/loss", "valid/loss"] if name == "loss" else [f"valid/{name}"]
        )
        for name in metrics
    ]
    training = [
        panels.LinePlot(title=name.replace("_", " "), x=STEP, y=[name], log_y=name in LOGARITHMIC)
        for name in TRAINING
    ]
    shown = [panels.MediaBrowser(title=name.replace("_", " "), media_keys=[name]) for name in pictures]
    samples = [panels.WeavePanelSummaryTable(table_name="samples")]
    return [
        ws.Section(name="Scores", panels=[*scores], is_open=True),
        ws.Section(name="Learning curves", panels=[*curves], is_open=True),
        ws.Section(name="Training", panels=[*training]),
        ws.Section(name="Samples", panels=[*samples], is_open=True),
        ws.Section(name="Pictures", panels=[*shown]),
    ]
