from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.lm import RivalTraining, Training, built, loaded, table, turned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "".join(f"a cat saw {what}\nno {what} saw a dog\n" for what in ("two birds", "it", "<unk>") * 130)
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_both_are_the_same_network_trained_in_the_same_way(folder: Path) -> None:
    """Loss after loss, the updates and the state that is carried between."""
    meta, batches = loaded(folder, 4)
    assert [batch.inputs.shape for batch in batches] == [(20, 35)] * 4
    torch.manual_seed(0)
    task, rival = (model.double() for model in built(meta, 7, 0.0))
    ours, theirs = Training(task, batches), RivalTraining(rival, turned(batches))
    found, wanted = ([one() for _ in batches] for one in (ours, theirs))
    assert found == pytest.approx(wanted, rel=1e-9)
    assert max(found) - min(found) > 0.1
    for name, parameter in rival.named_parameters():
        if not name.startswith("lstm"):
            torch.testing.assert_close(task.get_parameter(name), parameter)


def test_dropout_is_in_both(folder: Path) -> None:
    """At a rate just below 1 nothing is left of so few numbers."""
    meta, (batch,) = loaded(folder, 1)
    task, rival = built(meta, 7, 1 - 1e-9)
    assert not task.train()(batch).any()
    logs, _ = rival.train()(batch.inputs.T, None)
    torch.testing.assert_close(logs, torch.full_like(logs, 1 / logs.shape[-1]).log())
    assert [task.net.dropout, rival.lstm.dropout] == [1 - 1e-9] * 2


def test_the_table_has_the_median_and_the_middle_half() -> None:
    *_, line = table([("x", 1234.4, 1000.0, [1.0, 3.0, 1.1, 1.2, 0.5])])
    assert line == "| x | 1,234 | 1,000 | 1.10 | 1.00 to 1.20 |"
