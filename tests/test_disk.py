"""A disk that takes no more, a folder that takes nothing: what was there stays, and a sentence says why."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnnx.core.errors import RunError
from rnnx.core.experiment import Experiment
from rnnx.core.running import history
from rnnx.core.running.checkpoints import read_checkpoint

SMALL = (
    "task=memory", "data.train=96", "data.valid=20", "data.test=20", "data.batch_size=32",
    "trainer.max_epochs=2", "trainer.log_every_n_steps=1", "cell.hidden_size=8", "name=small", "seed=5",
)  # fmt: skip
CHECKPOINTS = ("best.ckpt", "last.ckpt", "previous.ckpt")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2  # Linux: linux/prctl.h, linux/capability.h


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Sets the size that no file may exceed: writing more is an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def require_whole(folder: Path) -> None:
    """Each file of a run that is there can be read, and nothing half written lies beside them."""
    for name in CHECKPOINTS:
        path = folder / "checkpoints" / name
        if path.exists():
            read_checkpoint(path)
    if (folder / "metrics.csv").exists():
        history.read(folder / "metrics.csv")
    if (folder / "result.json").exists():
        json.loads((folder / "result.json").read_text())
    assert not list(folder.rglob(".*"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_checkpoint_that_finds_no_room_stops_the_run_with_a_sentence(
    tmp_path: Path, limit: Callable[[int], None]
) -> None:
    limit(4096)
    with pytest.raises(RunError) as caught:
        Experiment.from_words(*SMALL, "logger=csv", f"out={tmp_path}").run()
    assert str(caught.value).startswith(
        f"{tmp_path}/small/checkpoints/last.ckpt: could not be written: File too large; what was there before"
    )
    require_whole(tmp_path / "small")


def test_with_room_again_the_run_goes_on_to_the_same_end(
    tmp_path: Path, limit: Callable[[int], None]
) -> None:
    """The pictures find no room, after the training."""
    whole = Experiment.from_words(*SMALL, "logger=csv", f"out={tmp_path / 'whole'}").run()
    largest = max((whole.folder / "checkpoints" / name).stat().st_size for name in CHECKPOINTS)
    limit(largest + 100)
    with pytest.raises(RunError, match=r"plots/\w+\.png: could not be written: File too large"):
        Experiment.from_words(*SMALL, "logger=csv", f"out={tmp_path / 'full'}").run()
    folder = tmp_path / "full" / "small"
    require_whole(folder)
    assert not (folder / "result.json").exists()
    limit(resource.RLIM_INFINITY)
    resumed = Experiment.resume(folder)
    assert resumed.values["test"] == whole.values["test"]
    ours, theirs = (history.read(one / "metrics.csv") for one in (folder, whole.folder))
    assert [row["train/loss"] for row in ours] == [row["train/loss"] for row in theirs]


def without_rights() -> None:
    """Takes from root, in a child, the right to write where permissions say no; others have none to lose."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def rnnx(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnnx.cli", *words],
        preexec_fn=without_rights,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_folder_that_takes_nothing_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = rnnx("run", *SMALL, "logger=csv", f"out={tmp_path / 'runs'}")
    tmp_path.chmod(stat.S_IRWXU)
    assert done.returncode == 1
    expected = f"rnnx: {tmp_path / 'runs' / 'small'}: the folder could not be made: Permission denied"
    assert done.stderr.splitlines()[-1] == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_may_not_be_written_to_any_more_stays_as_it_is(tmp_path: Path) -> None:
    folder = Experiment.from_words(*SMALL, "logger=csv", f"out={tmp_path}").run().folder
    before = contents(folder)
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        place.chmod(stat.S_IRUSR | stat.S_IXUSR)
    for path in before:
        (folder / path).chmod(stat.S_IRUSR)
    done = rnnx("resume", str(folder), "trainer.max_epochs=3")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"rnnx: {folder}/config.yaml: could not be written: Permission denied")
    assert "Traceback" not in done.stderr
    assert contents(folder) == before


FULL = """
set -e
mount -t tmpfs -o size="$1" none "$2"
export PYTHON="$3" KEPT="$4" RUN="$2"
shift 4
"$PYTHON" -m rnnx.cli run "$@" out="$RUN" && status=0 || status=$?
cp -r "$RUN/." "$KEPT"
exit "$status"
"""


@pytest.mark.slow
@pytest.mark.parametrize("logger", ["csv", "wandb"])
@pytest.mark.parametrize("kilobytes", [8, 48, 64, 100, 148, 220, 300])
def test_a_disk_that_is_full_at_any_moment(tmp_path: Path, kilobytes: int, logger: str) -> None:
    """A small disk of its own, which only the run sees (needs a Linux with user namespaces)."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    settings = (f"{kilobytes}k", str(disk), sys.executable, str(kept), *SMALL, f"logger={logger}")
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL, "sh", *settings],
        env={**os.environ, "WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    if logger == "csv":  # W&B's own log finds no room either, and says so
        assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    if (kept / "small").exists():
        require_whole(kept / "small")
    if done.returncode == 0:
        assert (kept / "small" / "result.json").exists()
        return
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("rnnx: "))
    assert said.startswith(f"rnnx: {disk}/small")
    assert "No space left on device" in said
    if (kept / "small" / "config.yaml").exists():
        shutil.rmtree(kept / "small" / "wandb", ignore_errors=True)
        Experiment.resume(kept / "small", "logger.name=none")
