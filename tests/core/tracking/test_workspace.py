"""What is sent to W&B, by a server on this machine; W&B's own has not seen it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from rnnx.core.tracking.workspace import NAME
from tests.wandb_server import Server

SET_UP = """
from rnnx.core.tracking.workspace import set_up
print(set_up("parrots", None, ["loss", "bleu"], ["attention", "curves"]))
"""


@pytest.fixture(scope="module")
def saved() -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The address of the view, what was sent, and what of it describes the view."""
    with Server() as server:
        done = subprocess.run(
            [sys.executable, "-c", SET_UP],
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    (sent,) = server.views
    return done.stdout.strip(), sent, json.loads(sent["spec"])["section"]


def test_the_view_is_the_projects_and_the_keys_own(saved: tuple[str, dict[str, Any], Any]) -> None:
    url, sent, _ = saved
    assert (sent["entityName"], sent["projectName"], sent["displayName"]) == ("us", "parrots", NAME)
    assert sent["type"] == "project-view"
    view = sent["name"].removeprefix("nw-").removesuffix("-v")
    assert url.endswith(f"/us/parrots?nw={view}")


def test_runs_of_one_task_and_cell_are_one(saved: tuple[str, Any, dict[str, Any]]) -> None:
    _, _, section = saved
    (runs,) = section["runSets"]
    keys = [(key["section"], key["name"]) for key in runs["grouping"]]
    assert keys == [("config", "task.value.name"), ("config", "cell.value.name")]
    assert section["settings"]["xAxis"] == "trainer/global_step"


def test_scores_curves_samples_and_pictures_have_their_sections(
    saved: tuple[str, Any, dict[str, Any]],
) -> None:
    _, _, section = saved
    found = {
        part["name"]: [(panel["viewType"], panel["config"]) for panel in part["panels"]]
        for part in section["panelBankConfig"]["sections"]
    }
    assert list(found)[:5] == ["Scores", "Learning curves", "Training", "Samples", "Pictures"]
    assert [config["metrics"] for _, config in found["Scores"]] == [["test/bleu"], ["test/loss"]]
    assert [config["metrics"] for _, config in found["Learning curves"]] == [
        ["valid/bleu"],
        ["train/loss", "valid/loss"],
    ]
    assert [config["metrics"] for _, config in found["Training"]] == [
        ["gradient_norm"],
        ["learning_rate"],
        ["tokens_per_second"],
    ]
    assert [config.get("yLogScale") for _, config in found["Training"]] == [True, True, False]
    assert all(config["xAxis"] == "trainer/global_step" for _, config in found["Learning curves"])
    assert '"samples"' in json.dumps(found["Samples"])
    assert [config["mediaKeys"] for _, config in found["Pictures"]] == [["attention"], ["curves"]]
