from __future__ import annotations

import re
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


def test_a_run_that_has_ended_is_not_resumed(quick):
    words = "run data.train=20 data.valid=2 data.test=2 trainer.max_epochs=1 cell.hidden_size=4 logger=none"
    assert quick(*words.split()).returncode == 0
    done = quick("resume", "nmt-gru")
    assert done.returncode == 2
    assert done.stderr.startswith("rnnx: runs/nmt-gru: the run has ended")
    assert quick("resume", "nmt-gruu").stderr.startswith("rnnx: no run 'nmt-gruu'")


def test_training_data_that_changed_are_told_and_the_run_stays(quick):
    """Though their vocabulary is the same; put back, they are gone on with."""
    lines = [f"{a} {b} {c}\n" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"]
    text = quick.folder / "text.txt"
    text.write_text("".join(lines))
    words = f"run task=lm data=files data.text={text} data.bptt=16 data.batch_size=4 cell.hidden_size=4"
    begun = quick(*words.split(), "trainer.max_steps=20", "logger=csv")
    assert begun.returncode == 0, begun.stderr
    (checkpoint,) = (quick.folder / "runs/lm-gru").rglob("last.ckpt")
    kept = checkpoint.read_bytes()
    for changed in (lines[::-1], lines[: len(lines) // 8]):
        text.write_text("".join(changed))
        gone_on = quick("resume", "lm-gru", "trainer.max_steps=30")
        assert gone_on.returncode == 1
        assert re.search(
            r"rnnx: data: expected the training data that the run began with, and batch \d+ of epoch 1 is "
            r"not what it was; put them back, or train anew with rnnx run$",
            gone_on.stderr.strip(),
        ), gone_on.stderr
        assert checkpoint.read_bytes() == kept
    text.write_text("".join(lines))
    gone_on = quick("resume", "lm-gru", "trainer.max_steps=30")
    assert gone_on.returncode == 0, gone_on.stderr
