"""Runs tracked offline, sent to a server on this machine, and seen there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.wandb_server import Server

SMALL = (
    "task=memory", "data.train=64", "data.valid=20", "data.test=20", "data.batch_size=32",
    "trainer.max_epochs=1", "trainer.log_every_n_steps=1", "cell.hidden_size=8", "logger=wandb",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that W&B tracked and one that it did not; to be left as it is."""
    folder = tmp_path_factory.mktemp("dashboard")
    assert CommandLine(folder)("run", *SMALL, "name=it's tracked").returncode == 0
    shutil.copytree(folder / "runs" / "it's tracked", folder / "runs" / "other", symlinks=True)
    shutil.rmtree(folder / "runs" / "other" / "wandb")
    return folder


@pytest.fixture
def rnnx(runs: Path, tmp_path: Path) -> CommandLine:
    """The command line in a copy of it."""
    return CommandLine(Path(shutil.copytree(runs, tmp_path / "copy", symlinks=True)))


def asked(rnnx: CommandLine, *words: str, **environment: str) -> tuple[dict[str, Any], str]:
    """What ``rnnx dashboard --json`` says, and what it warns of."""
    done = subprocess.run(
        [sys.executable, "-m", "rnnx.cli", "dashboard", "--json", *words],
        cwd=rnnx.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def wandb(rnnx: CommandLine, command: str, **environment: str) -> str:
    """What a command of W&B's says that was shown, run as it was shown."""
    name, *words = shlex.split(command)
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *words],
        cwd=rnnx.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_runs_that_were_tracked_are_shown_with_what_to_type(rnnx: CommandLine) -> None:
    done = rnnx("dashboard")
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = (rnnx.folder / "runs" / "it's tracked" / "wandb").glob("offline-run-*")
    place = shlex.quote(str(folder.relative_to(rnnx.folder)))
    assert done.stdout.splitlines() == [
        "run           tracked  see it in the terminal",
        f"it's tracked  offline  wandb leet {place}",
        "",
        f"send  wandb sync {place}",
    ]


def test_what_was_sent_is_known(rnnx: CommandLine) -> None:
    before, _ = asked(rnnx)
    assert [one["state"] for one in before["runs"]] == ["offline"]
    with Server() as server:
        wandb(rnnx, before["send"], **server.environment)
        assert server.runs[0]["displayName"] == "it's tracked"
    after, _ = asked(rnnx)
    assert [one["state"] for one in after["runs"]] == ["sent"]
    assert after["send"] is None
    assert "nothing is left to be sent" in rnnx("dashboard").stdout


def test_what_is_to_be_seen_can_be(rnnx: CommandLine) -> None:
    (one,) = asked(rnnx)[0]["runs"]
    see = one["see"].replace("wandb leet", "wandb leet inspect --summary --json", 1)
    assert json.loads(wandb(rnnx, see))["state"] == "finished"


def test_with_a_key_the_projects_view_is_set_up_once(rnnx: CommandLine) -> None:
    with Server() as server:
        first, said = asked(rnnx, WANDB_MODE="online", **server.environment)
        again, _ = asked(rnnx, WANDB_MODE="online", **server.environment)
        assert rnnx("dashboard").stdout.splitlines()[-1] == f"compare  {first['views']['rnnx']}"
    assert said == ""
    assert first["views"] == again["views"]
    assert first["views"]["rnnx"].startswith(f"{server.address}/us/rnnx?nw=")
    (view,) = server.views
    assert (view["entityName"], view["projectName"]) == ("us", "rnnx")
    for expected in ("test/loss", "valid/mse", "gradient_flow", "samples"):
        assert f'"{expected}"' in view["spec"]


@pytest.mark.slow
def test_a_view_that_cannot_be_set_up_stands_in_nobodys_way(rnnx: CommandLine) -> None:
    with Server() as server:
        environment = server.environment
    found, said = asked(rnnx, WANDB_MODE="online", **environment)
    assert [one["run"] for one in found["runs"]] == ["it's tracked"]
    assert found["views"] == {}
    assert said.startswith("the view of project rnnx could not be set up: ")
    assert "Traceback" not in said


def test_a_folder_of_runs_is_all_of_them(rnnx: CommandLine) -> None:
    (rnnx.folder / "runs").rename(rnnx.folder / "lengths")
    found, _ = asked(rnnx, "lengths")
    assert [one["run"] for one in found["runs"]] == ["it's tracked"]


def test_where_nothing_was_tracked_it_says_so(rnnx: CommandLine) -> None:
    done = rnnx("dashboard", "other")
    assert done.returncode == 2
    said = "expected runs that W&B tracked, and there is none; train one with: rnnx run logger=wandb"
    assert done.stderr == f"rnnx: runs: {said}\n"
    assert rnnx("dashboard", "nobody").returncode == 2
