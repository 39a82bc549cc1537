from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from optuna.trial import TrialState

from rnnx.core.errors import UsageError
from rnnx.core.launchers.ray import Ray
from rnnx.core.sweeps.sweep import Sweep, outcomes


def test_without_ray_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as Python has it for what cannot be imported
    with pytest.raises(UsageError, match=r"pip install 'rnnx-core\[ray\]'"):
        Ray(tmp_path, 1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two machines with a core each, as far as Ray knows."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex * 2)
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # of which Ray warns
        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        made.add_node(**node)
        yield made.address
        made.shutdown()


@pytest.mark.slow
def test_work_is_a_task_in_the_folder_of_the_driver(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launcher = Ray(tmp_path, 2, address=cluster)
    try:
        launcher.run(partial(exec, "import os; os.mkdir(f'of {os.getpid()}')"))
        with pytest.raises(Exception, match="died unexpectedly"):
            launcher.run(partial(os._exit, 3))
        with pytest.raises(ValueError, match="invalid literal"):
            launcher.run(partial(int, "x"))
    finally:
        launcher.stop()
    (made,) = tmp_path.iterdir()
    assert made.name != f"of {os.getpid()}"


def holder(lock: Path) -> int | None:
    """The process that has this file open."""
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if path.readlink() == lock:
                return int(path.parts[2])
    return None


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_is_taken_up_again(cluster: str, tmp_path: Path) -> None:
    words = ["task=memory", "logger=csv", "cell.hidden_size=int:3..6", "trainer.max_epochs=20"]
    words += [f"trainer.limit_{split}_batches=1" for split in ("train", "val", "test")]
    words += [f"launcher.address={cluster}", f"out={tmp_path}"]
    options = [
        "--name",
        "s",
        "--trials",
        "3",
        "--jobs",
        "2",
        "--pruner",
        "none",
        "--launcher",
        "ray",
        "--json",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", "sweep", *words, *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 240
            while not (tmp_path / "s" / "trial-0000-seed-1" / "checkpoints" / "last.ckpt").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            worker = holder(tmp_path / "s" / "locks" / "0000")
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
            told, complaint = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 0, complaint
    assert [trial["state"] for trial in json.loads(told)["trials"]] == ["complete"] * 3
    sweep = Sweep.parse(words, name="s", trials=3, pruner="none", launcher="ray")
    trials = sweep.open().trials
    dead, *others = trials
    (again,) = (trial for trial in others if trial.user_attrs.get("repeats") == 0)
    assert (dead.state, len(others)) == (TrialState.FAIL, 3)
    assert again.params == dead.params
    found = {one.number: one for one in outcomes(sweep, sweep.open())}
    assert found[again.number].folders == (tmp_path / "s" / "trial-0000-seed-1",)
