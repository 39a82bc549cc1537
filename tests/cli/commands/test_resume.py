from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial

import pytest


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(signum, code, rnnx):
    words = "run data.train=99 data.valid=2 data.test=2 trainer.max_epochs=9999 cell.hidden_size=4 logger=csv"
    with subprocess.Popen(
        [sys.executable, "-m", "rnnx.cli", *words.split()],
        cwd=rnnx.folder,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    ) as process:
        assert process.stderr.readline().startswith("epoch 1 ")
        process.send_signal(signum)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == code
    said = rest.splitlines()[-1]
    assert said == f"rnnx: stopped by {signum.name}; go on with: rnnx resume runs/nmt-gru"
    assert "Traceback" not in rest

    rows = (rnnx.folder / "runs/nmt-gru/metrics.csv").read_text().splitlines()
    epochs = int(rows[-1].partition(",")[0])
    gone_on = rnnx("resume", "runs/nmt-gru", f"trainer.max_epochs={epochs + 1}")
    assert gone_on.returncode == 0
    assert (rnnx.folder / "runs/nmt-gru/result.json").exists()
    again = (rnnx.folder / "runs/nmt-gru/metrics.csv").read_text().splitlines()
    assert again[1].startswith(rows[1])
    assert int(again[-1].partition(",")[0]) == epochs + 1


def test_a_run_that_has_ended_is_not_resumed(rnnx):
    words = "run data.train=20 data.valid=2 data.test=2 trainer.max_epochs=1 cell.hidden_size=4 logger=none"
    assert rnnx(*words.split()).returncode == 0
    done = rnnx("resume", "nmt-gru")
    assert done.returncode == 2
    assert done.stderr.startswith("rnnx: runs/nmt-gru: the run has ended")
    assert rnnx("resume", "nmt-gruu").stderr.startswith("rnnx: no run 'nmt-gruu'")
