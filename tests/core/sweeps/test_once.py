from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from rnnx.core.config import Config
from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.core.runs import read_result
from rnnx.core.sweeps.once import once, refuse_others
from tests.runs import write_run

SMALL = (
    "task=memory",
    "logger=none",
    "cell.hidden_size=4",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
)


class Epochs(L.Callback):
    """Those that were begun; an end in the middle of one of them."""

    def __init__(self, stop_in: int | None = None) -> None:
        self.begun: list[int] = []
        self.stop_in = stop_in

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begun.append(trainer.current_epoch)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.stop_in:
            raise InterruptedError


def config_in(folder: Path, *words: str) -> Config:
    return replace(resolve([*SMALL, *words]), name="it", out=str(folder))


def test_a_run_that_is_done_is_found_again(tmp_path: Path) -> None:
    epochs = Epochs()
    values = once(config_in(tmp_path), "typed", [epochs])
    assert epochs.begun == [0, 1]
    assert values["command"] == "typed"
    assert values == read_result(tmp_path / "it") == once(config_in(tmp_path), "else", [epochs])
    assert epochs.begun == [0, 1]


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        once(config_in(tmp_path), callbacks=[Epochs(stop_in=1)])
    epochs = Epochs()
    values = once(config_in(tmp_path), "again", [epochs])
    assert epochs.begun == [1]
    assert values["command"] == "again"
    whole = once(config_in(tmp_path / "whole"))
    assert values["test"] == whole["test"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "whole"] == ["it"]


def test_what_a_stopped_run_of_another_configuration_left_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        once(config_in(tmp_path), callbacks=[Epochs(stop_in=1)])
    epochs = Epochs()
    once(config_in(tmp_path, "net.layers=2"), callbacks=[epochs])
    assert epochs.begun == [0, 1]
    (tmp_path / "it" / "result.json").unlink()
    (tmp_path / "it" / "config.yaml").write_text("half a run")
    once(config_in(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"it", "it.interrupted-1", "it.interrupted-2"}
    assert (tmp_path / "it.interrupted-2" / "config.yaml").read_text() == "half a run"


def test_the_result_of_another_configuration_is_not_taken_for_it(tmp_path: Path) -> None:
    once(config_in(tmp_path))
    with pytest.raises(UsageError, match="a run of another configuration; give another out=FOLDER"):
        once(config_in(tmp_path, "optimizer.lr=0.5"))


def test_the_results_of_others_are_told_of_at_once_with_what_they_differ_in(tmp_path: Path) -> None:
    words = ("task=memory", "data=adding")
    other = ("data.length=20", "net.layers=2", "optimizer=sgd", "trainer.max_epochs=7")
    configs = []
    for name, said in (("mine", ()), ("a", other), ("b", other)):
        write_run(tmp_path / name, *words, *said, test={"loss": 1.0})
        configs.append(replace(resolve(words), name=name, out=str(tmp_path)))
    refuse_others([*configs[:1], replace(configs[0], name="none yet")])
    with pytest.raises(UsageError) as refused:
        refuse_others(configs)
    told = str(refused.value)
    assert told.startswith(
        f"{tmp_path / 'a'} holds a run of another configuration, as does 1 more; give another out="
    )
    assert "(data.length is 20 there and 200 here, optimizer is sgd there and adam here, " in told
    assert re.search(r" and \d more\)$", told)
