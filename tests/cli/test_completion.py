from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

CELLS = sorted(entry_points(group="rnnx.cells").names)
RUN_BEST = "runs/small/checkpoints/best.ckpt"
TASKS = sorted(entry_points(group="rnnx.tasks").names)


def complete(folder, line):
    """What Bash would be offered at the end of a line; it has split the words at ``=``."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "rnnx.cli"],
        cwd=folder,
        env=os.environ
        | {
            "_RNNX_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rnnx ru", ["run"]),
        ("rnnx doc", ["doctor"]),
        ("rnnx doctor --j", ["--json"]),
        ("rnnx run --", ["--dry-run", "--json", "--help"]),
        ("rnnx run ce", ["cell=", "cell."]),
        ("rnnx run cell=l", ["cell=lstm"]),  # as zsh and fish have it
        ("rnnx run cell = l", ["lstm"]),  # as Bash has it
        ("rnnx run cell =", CELLS),
        ("rnnx run task = lm data =", ["files", "hub", "toy"]),
        ("rnnx run task = lm baseline =", ["ngram"]),
        ("rnnx run cell = jordan cell.h", ["cell.hidden_size="]),
        ("rnnx run cell = elman cell.", ["cell.hidden_size=", "cell.activation="]),
        ("rnnx run cell.r", ["cell.reset=before", "cell.reset=after"]),  # one key only, so its values
        ("rnnx run cell.reset =", ["before", "after"]),
        ("rnnx run net.bidirectional = t", ["true"]),
        ("rnnx run lm.yaml task.ti", ["task.tied=true", "task.tied=false"]),
        ("rnnx run cell = nothing cell.", []),
        ("rnnx list ta", ["tasks"]),
        ("rnnx show da", ["data"]),
        ("rnnx show task ", TASKS),
        ("rnnx check el", ["elman"]),
        ("rnnx bench el", ["elman"]),
        ("rnnx bench gru l", ["lstm"]),
        ("rnnx bench rhn cell.de", ["cell.depth="]),
        ("rnnx bench lstm gru cell.res", ["cell.reset=before", "cell.reset=after"]),
        ("rnnx bench gru cell.reset =", ["before", "after"]),
        ("rnnx check nm", ["nmt", "nmt.files", "nmt.hub", "nmt.toy"]),
        ("rnnx check nmt.toy data.tr", ["data.train="]),
        ("rnnx check nmt data.shared_vocabulary =", ["true", "false"]),
        ("rnnx check gru data.", []),
        ("rnnx new ", ["cell", "task", "data"]),
        ("rnnx new da", ["data"]),
        ("rnnx new data n", ["ner.", "nmt."]),
        ("rnnx new cell n", []),
        ("rnnx test r", ["runs/small"]),
        ("rnnx test runs/small/", ["runs/small/checkpoints/best.ckpt", "runs/small/checkpoints/last.ckpt"]),
        ("rnnx test small/checkpoints/l", ["small/checkpoints/last.ckpt"]),
        ("rnnx test small small/checkpoints/last.ckpt runs/small/checkpoints/b", [RUN_BEST]),
        ("rnnx predict small small/ch", ["small/checkpoints/best.ckpt", "small/checkpoints/last.ckpt"]),
        ("rnnx predict small/checkpoints/last.ckpt b", ["beam_size=", "batch_size="]),
        ("rnnx resume small/", []),
        ("rnnx test small sm", ["small"]),
        ("rnnx test small se", ["seed="]),
        ("rnnx test small small data.test=FILE sm", []),
        ("rnnx predict s", ["small"]),
        ("rnnx predict small s", ["small", "scores="]),
        ("rnnx predict small b", ["beam_size=", "batch_size="]),
        ("rnnx predict small scores =", ["true", "false"]),
        ("rnnx predict nothing b", []),
        ("rnnx play s", ["small"]),
        ("rnnx export s", ["small"]),
        ("rnnx push s", ["small"]),
        ("rnnx compare s", ["small"]),
        ("rnnx report r", ["runs/small"]),
    ],
)
def test_what_is_offered(tmp_path, line, offered):
    (tmp_path / "lm.yaml").write_text("task: {name: lm}\n")
    (tmp_path / "runs" / "small" / "checkpoints").mkdir(parents=True)
    for name in ("best.ckpt", "last.ckpt"):
        (tmp_path / "runs" / "small" / "checkpoints" / name).touch()
    (tmp_path / "runs" / "small" / "config.yaml").write_text("task: {name: nmt}\n")
    assert complete(tmp_path, line) == offered
