from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnx.core.tracking.wandb_runs import Tracked, tracked


def test_stretches_come_in_their_order_with_their_states(tmp_path: Path) -> None:
    """Whatever they are called; what W&B left without a file counts for nothing."""
    folder = tmp_path / "a"
    for name in ("run-20260102_000000-x", "offline-run-20260103_000000-x", "offline-run-20260101_000000-x"):
        (folder / "wandb" / name).mkdir(parents=True)
        (folder / "wandb" / name / "run-x.wandb").touch()
    (folder / "wandb" / "offline-run-20260101_000000-x" / "run-x.wandb.synced").touch()
    (folder / "wandb" / "offline-run-20260104_000000-x").mkdir()
    (folder / "wandb" / "latest-run").symlink_to("run-20260102_000000-x")
    assert tracked(folder) == [
        Tracked("a", folder / "wandb" / "offline-run-20260101_000000-x", "sent"),
        Tracked("a", folder / "wandb" / "run-20260102_000000-x", "online"),
        Tracked("a", folder / "wandb" / "offline-run-20260103_000000-x", "offline"),
    ]


@pytest.mark.parametrize(("key", "there"), [("0123456789" * 4, True), ("", False)])
def test_a_key_is_found_without_a_question(key: str, there: bool, tmp_path: Path) -> None:
    """In a process of its own: W&B looks once."""
    done = subprocess.run(
        [sys.executable, "-c", "from rnnx.core.tracking.wandb_runs import has_key; print(has_key())"],
        env={
            **os.environ,
            "WANDB_MODE": "online",
            "WANDB_API_KEY": key,
            "HOME": str(tmp_path),
            "NETRC": str(tmp_path / "none"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{there}\n", "")
