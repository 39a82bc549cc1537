from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from rnnx.core.experiment import Experiment
from rnnx.core.progress import ProgressBar
from rnnx.core.quiet import quiet
from rnnx.core.task import Task
from rnnx.core.trainer import Trainer


@pytest.mark.parametrize(
    ("pause", "steps"), [(0.0, [1, 2, 3, 4, 5, 6]), (math.inf, [6])], ids=["no pause", "a long pause"]
)
def test_it_is_drawn_at_the_end_of_an_epoch_and_in_between_after_a_pause(
    pause: float, steps: list[int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["cell=elman", "cell.hidden_size=4", "task=nmt", "task.embedding_size=4", "data.batch_size=8"]
    data, task = Experiment.from_words(*words, "data.train=48", "data.valid=4", "data.test=4").prepare()
    assert isinstance(task, Task)
    trainer = Trainer(max_epochs=2, accelerator="cpu").build(
        tmp_path, [], [ProgressBar(pause)], progress=True
    )
    with quiet():
        trainer.fit(task, data.loader("train"))
    out, err = capfd.readouterr()
    drawn = re.findall(r"Epoch (\d):[^\r\n]*?(\d+)/6 ", out + err)
    for epoch in ("0", "1"):
        seen = {int(step) for number, step in drawn if number == epoch}
        assert seen - {0} == set(steps)
