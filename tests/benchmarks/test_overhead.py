from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from benchmarks.overhead import Bare, Beside, beside, runs, waiting
from rnnx.core.experiment import Experiment

SMALL = (
    "cell=elman",
    "cell.hidden_size=6",
    "task=nmt",
    "task.embedding_size=6",
    "data.train=64",
    "data.valid=4",
    "data.test=4",
    "data.batch_size=8",
    "logger=none",
)


class Watch(L.Callback):
    """The largest difference between the weights of the run and of its twin, after each step."""

    def __init__(self, twin: Bare) -> None:
        self.twin = twin
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        pairs = zip(pl_module.parameters(), self.twin.task.parameters(), strict=True)
        self.seen.append(max((one - other).abs().max().item() for one, other in pairs))


def test_the_twin_makes_the_very_steps_of_the_run(tmp_path: Path) -> None:
    """On the same batches, epoch after epoch, clipped alike."""
    experiment = Experiment.from_words(
        *SMALL, "task.dropout=0", "trainer.gradient_clip_val=0.1", f"out={tmp_path}"
    )
    twin = Bare(experiment)
    first = [parameter.detach().clone() for parameter in twin.task.parameters()]
    timed, watch = Beside(twin, steps=19), Watch(twin)
    experiment.run(callbacks=[timed, watch])
    assert len(watch.seen) == len(timed.bare) == 20  # of 8 an epoch
    assert watch.seen == pytest.approx([0.0] * 20, abs=1e-6)
    moved = zip(first, twin.task.parameters(), strict=True)
    assert max((one - other).abs().max().item() for one, other in moved) > 0.01


def test_the_share_is_of_ten_steps_and_the_first_ten_do_not_count() -> None:
    timed = Beside(Bare(Experiment.from_words(*SMALL)), 0)
    timed.run, timed.bare = [9.0] * 10 + [1.5] * 9 + [3.0] + [2.0] * 10 + [7.0] * 9, [1.0] * 40
    assert timed.shares() == pytest.approx([0.65, 1.0])


@pytest.mark.parametrize("progress", [False, True])
def test_nothing_is_drawn_and_nothing_stays(progress: bool, capfd: pytest.CaptureFixture[str]) -> None:
    found = beside(SMALL, 12, progress)
    assert len(found.bare) == 13
    assert all(seconds > 0 for seconds in found.bare + found.run)
    assert capfd.readouterr() == ("", "")


def test_waiting_is_a_part_of_a_step() -> None:
    seconds, share = waiting(SMALL, 3)
    assert seconds > 0
    assert 0 < share < 1
    assert torch.is_grad_enabled()


def test_the_runs_on_real_data_are_the_experiments_of_the_ledger() -> None:
    """Each can be resolved, and names files in the folder."""
    found = runs(Path("sets"))
    assert len(found) == 4
    for words in found.values():
        config = Experiment.from_words(*words).config
        paths = [value for key, value in config.data.options.items() if key in ("train", "valid", "test")]
        assert words == list(words[:2]) or all(str(path).startswith("sets") for path in paths)
    assert list(runs(None)) == list(found)[:1]
