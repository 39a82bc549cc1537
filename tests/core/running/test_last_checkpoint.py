"""The last checkpoint: a run that goes on from it is as one that was never stopped."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from rnnx.core.errors import Interrupted, RunError, UsageError
from rnnx.core.experiment import Experiment
from rnnx.core.running.checkpoints import latest, read_checkpoint
from rnnx.core.running.result import Result

SMALL = (
    "task=memory",
    "data=adding",
    "data.length=5",
    "data.train=48",
    "data.valid=8",
    "data.test=8",
    "data.batch_size=8",
    "cell.hidden_size=4",
    "trainer.max_epochs=4",
    "trainer.log_every_n_steps=1",
    "checkpoint.every_n_train_steps=1",
    "logger=csv",
    "name=run",
)  # six steps an epoch

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class At(L.Callback):
    """Does something at a moment of the training."""

    def __init__(self, hook: str, step: int, act: Callable[[], None]) -> None:
        self.step, self.act = step, act
        self.steps: list[int] = []
        setattr(self, hook, self._hook)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.steps.append(trainer.global_step)

    def _hook(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and trainer.training:
            self.act()


def run(out: Path, *words: str, callbacks: tuple[L.Callback, ...] = ()) -> Result:
    return Experiment.from_words(*SMALL, *words, f"out={out}").run(callbacks=callbacks)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "tokens_per_second"}
            for row in csv.DictReader(file)
        ]


def parameters(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / f"{name}.ckpt")["state_dict"]


def assert_same(one: Path, other: Path) -> None:
    assert rows(one) == rows(other)
    for name in ("best", "last"):
        assert all(
            torch.equal(value, parameters(other, name)[key]) for key, value in parameters(one, name).items()
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run that was never stopped."""
    return run(tmp_path_factory.mktemp("whole"))


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("hook", "step", "begins"),
    [
        ("on_train_batch_end", 9, 9),  # in the middle of an epoch
        ("on_train_batch_end", 12, 12),  # before a validation
        ("on_train_epoch_start", 12, 12),  # between two epochs
        ("on_train_batch_start", 0, 1),  # before anything was learnt: the first step is made
    ],
)
def test_a_signal_writes_a_checkpoint_and_stops(
    hook: str, step: int, begins: int, whole: Result, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted) as stop:
        run(tmp_path, "checkpoint.every_n_train_steps=0", callbacks=(At(hook, step, interrupt),))
    folder = tmp_path / "run"
    assert stop.value.folder == folder
    assert stop.value.exit_code == 143
    assert not (folder / "result.json").exists()

    noted = At("on_fit_end", -1, interrupt)
    result = Experiment.resume(folder, callbacks=[noted])
    assert noted.steps == [begins]
    assert_same(folder, whole.folder)
    assert result.values["test"] == whole.values["test"]


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    def twice() -> None:
        interrupt()
        interrupt()

    at = At("on_train_batch_end", 9, twice)
    with pytest.raises(Interrupted):
        run(tmp_path, "checkpoint.every_n_train_steps=0", callbacks=(at,))
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 6


def test_an_error_is_gone_on_from(whole: Result, tmp_path: Path) -> None:
    def fail() -> None:
        raise OverflowError

    with pytest.raises(OverflowError):
        run(tmp_path, callbacks=(At("on_before_optimizer_step", 9, fail),))
    Experiment.resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole.folder)


def test_an_epoch_is_begun_as_it_was_where_there_are_several_validations_in_one(tmp_path: Path) -> None:
    """Lightning then draws a seed for the validation data before the first batch is made."""

    def fail() -> None:
        raise OverflowError

    often = ("trainer.val_check_interval=3", "data.train=64", "net.weight_drop=0.5")  # eight steps an epoch
    run(tmp_path / "whole", *often)
    with pytest.raises(OverflowError):
        run(tmp_path / "cut", *often, callbacks=(At("on_before_optimizer_step", 16, fail),))
    Experiment.resume(tmp_path / "cut" / "run")
    assert_same(tmp_path / "cut" / "run", tmp_path / "whole" / "run")


def test_a_damaged_checkpoint_is_gone_on_from_the_one_before(whole: Result, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, callbacks=(At("on_train_batch_end", 9, interrupt),))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    said: list[str] = []
    noted = At("on_fit_end", -1, interrupt)
    Experiment.resume(tmp_path / "run", say=said.append, callbacks=[noted])
    assert said[0].startswith(f"{last}: expected a checkpoint, but it is cut off")
    assert said[0].endswith(f"going on from {last.with_name('previous.ckpt')}")
    assert noted.steps == [8]
    assert_same(tmp_path / "run", whole.folder)


def test_where_all_are_damaged_nothing_is_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, callbacks=(At("on_train_batch_end", 9, interrupt),))
    before = rows(tmp_path / "run")
    for name in ("last", "previous"):
        (tmp_path / "run" / "checkpoints" / f"{name}.ckpt").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"previous.ckpt: expected a checkpoint, but it is cut off"):
        Experiment.resume(tmp_path / "run")
    assert rows(tmp_path / "run") == before


def test_a_model_alone_is_not_gone_on_from(whole: Result, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    checkpoint = read_checkpoint(whole.folder / "checkpoints" / "last.ckpt")
    alone = {name: checkpoint[name] for name in ("state_dict", "hyper_parameters")}
    torch.save(alone, tmp_path / "checkpoints" / "last.ckpt")
    with pytest.raises(RunError, match=r"last.ckpt: expected a checkpoint to go on from"):
        latest(tmp_path, print)


def test_without_a_checkpoint_the_run_begins_at_the_beginning(whole: Result, tmp_path: Path) -> None:
    def fail() -> None:
        raise OverflowError

    with pytest.raises(OverflowError):
        run(tmp_path, "checkpoint.every_n_train_steps=0", callbacks=(At("on_train_batch_end", 3, fail),))
    assert latest(tmp_path / "run", print) is None
    Experiment.resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole.folder)


def test_the_folder_may_have_moved(whole: Result, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, callbacks=(At("on_train_batch_end", 20, interrupt),))
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    shutil.move(tmp_path / "run", moved)
    result = Experiment.resume(moved)
    assert result.folder == moved
    assert_same(moved, whole.folder)
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_ended_can_go_on_to_more_epochs(whole: Result, tmp_path: Path) -> None:
    run(tmp_path, "trainer.max_epochs=2")
    with pytest.raises(UsageError, match="the run has ended"):
        Experiment.resume(tmp_path / "run")
    Experiment.resume(tmp_path / "run", "trainer.max_epochs=4")
    tested = [row for row in rows(tmp_path / "run") if row["valid/loss"] or row["train/loss"]]
    assert tested == [row for row in rows(whole.folder) if row["valid/loss"] or row["train/loss"]]
    assert all(
        torch.equal(value, parameters(tmp_path / "run")[key])
        for key, value in parameters(whole.folder).items()
    )


DROP = ("net.weight_drop=0.5",)
OFTEN = ("trainer.val_check_interval=3", *DROP)
EARLY = ("stopping.patience=1", "stopping.min_delta=1e9")


@pytest.mark.parametrize(
    ("always", "first", "then", "steps"),
    [
        (DROP, ("trainer.max_steps=8",), ("trainer.max_steps=20",), 8),
        (OFTEN, ("trainer.max_steps=9",), ("trainer.max_steps=20",), 9),  # with a validation there
        ((*OFTEN, "data.train=64"), EARLY, ("stopping.patience=0",), 6),
        (("trainer.accumulate_grad_batches=2",), ("trainer.max_steps=4",), ("trainer.max_steps=10",), 4),
        (
            (*OFTEN, "data.valid=40"),
            ("trainer.max_steps=8",),
            ("trainer.max_steps=10",),
            8,
        ),  # just before one
        (("net.weight_drop=0.5",), ("trainer.max_steps=6",), ("trainer.max_steps=20",), 6),
        (
            ("net.weight_drop=0.5",),
            ("trainer.max_epochs=2",),
            ("trainer.max_epochs=4", "trainer.max_steps=20"),
            12,
        ),
    ],
    ids=["steps", "validated", "early", "accumulated", "before", "whole", "epochs"],
)
def test_a_run_that_ended_goes_on_as_if_it_had_not(
    always: tuple[str, ...], first: tuple[str, ...], then: tuple[str, ...], steps: int, tmp_path: Path
) -> None:
    whole = run(tmp_path / "whole", *always, *then).folder
    cut = run(tmp_path / "cut", *always, *first).folder
    assert read_checkpoint(cut / "checkpoints" / "last.ckpt")["global_step"] == steps
    Experiment.resume(cut, *then)
    assert_same(cut, whole)


def test_a_run_that_ended_among_added_gradients_goes_on_with_the_next_batch(tmp_path: Path) -> None:
    """Of six batches four make a step, and the last two: the first stop is after one, whose part is lost."""
    often = ("trainer.accumulate_grad_batches=4", "trainer.val_check_interval=1", "trainer.max_epochs=2")
    cut = run(tmp_path, *often, *EARLY).folder
    saved = read_checkpoint(cut / "checkpoints" / "last.ckpt")
    assert (saved["global_step"], saved["rnnx"]["taken"]) == (0, 2)
    Experiment.resume(cut, "stopping.patience=0")
    assert read_checkpoint(cut / "checkpoints" / "last.ckpt")["global_step"] == 4


@pytest.mark.parametrize("step", [8, 9])
def test_a_run_that_is_stopped_from_without_goes_on_as_if_it_had_not(step: int, tmp_path: Path) -> None:
    """As by ``trainer.max_time``: Lightning validates then, where it would not have, or would have at 9."""

    class Stop(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            trainer.should_stop = trainer.global_step == step

    whole = run(tmp_path / "whole", *OFTEN, "data.valid=40").folder
    cut = run(tmp_path / "cut", *OFTEN, "data.valid=40", callbacks=(Stop(),)).folder
    assert read_checkpoint(cut / "checkpoints" / "last.ckpt")["global_step"] == step
    Experiment.resume(cut, "trainer.max_epochs=5", "trainer.max_steps=24")
    assert all(torch.equal(value, parameters(cut)[key]) for key, value in parameters(whole).items())


def test_the_last_validation_is_made_up_for(tmp_path: Path) -> None:
    """The signal comes with the last step, before the validation of it."""
    words = (*OFTEN, "data.valid=40", "trainer.max_steps=9")
    whole = run(tmp_path / "whole", *words).folder
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", *words, callbacks=(At("on_train_batch_end", 9, interrupt),))
    Experiment.resume(tmp_path / "cut" / "run")
    assert_same(tmp_path / "cut" / "run", whole)


def test_where_no_step_is_left_it_says_so_and_tests_again(tmp_path: Path) -> None:
    folder = run(tmp_path, "trainer.max_steps=8").folder
    expected, told = rows(folder), list[str]()
    Experiment.resume(folder, "trainer.max_epochs=9", say=told.append)
    assert told == [
        "no step was trained: the training had ended (trainer.max_epochs=9, trainer.max_steps=8), and its "
        "model is tested again"
    ]
    assert [row["test/loss"] for row in rows(folder)] == [row["test/loss"] for row in expected]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("trainer.val_check_interval=7",), "trainer.val_check_interval: expected at most the 6 batches"),
        (("logger=wandb", "logger.mode=online"), "logger.mode: "),
    ],
)
def test_a_run_that_cannot_go_on_so_is_what_it_was(
    words: tuple[str, ...], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    run(tmp_path, "trainer.max_epochs=1")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=problem):
        Experiment.resume(tmp_path / "run", "trainer.max_epochs=2", *words)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    Experiment.resume(tmp_path / "run", "trainer.max_epochs=2")


def test_a_run_without_a_checkpoint_that_cannot_go_on_so_stays(tmp_path: Path) -> None:
    def fail() -> None:
        raise OverflowError

    with pytest.raises(OverflowError):
        run(tmp_path, "checkpoint.every_n_train_steps=0", callbacks=(At("on_train_batch_end", 3, fail),))
    with pytest.raises(UsageError, match=r"trainer\.val_check_interval"):
        Experiment.resume(tmp_path / "run", "trainer.val_check_interval=7")
    assert Experiment.resume(tmp_path / "run", "trainer.max_epochs=1").folder == tmp_path / "run"


def test_an_end_before_the_last_epoch_is_one(tmp_path: Path) -> None:
    words = ("stopping.patience=1", "stopping.min_delta=1e9")
    stopped = run(tmp_path, *words).folder
    expected = rows(stopped)
    assert sum(bool(row["valid/loss"]) for row in expected) == 2
    (stopped / "result.json").unlink()
    Experiment.resume(stopped)
    assert rows(stopped) == expected


def test_what_a_run_is_cannot_change(tmp_path: Path) -> None:
    run(tmp_path, "trainer.max_epochs=1")
    with pytest.raises(UsageError) as refused:
        Experiment.resume(tmp_path / "run", "cell.hidden_size=5", "trainer.max_epochs=2", "seed=3")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "'cell.hidden_size=5'",
        "'seed=3'",
    ]


def test_without_a_validation_the_best_is_the_last(tmp_path: Path) -> None:
    result = run(tmp_path, "trainer.limit_val_batches=0")
    assert result.values["valid"] == {}
    assert all(
        torch.equal(value, parameters(result.folder)[key])
        for key, value in parameters(result.folder, "best").items()
    )


def test_a_run_in_64_bits_goes_on_in_all_of_them(tmp_path: Path) -> None:
    """Numbers that were read into a model of 32 bits would be rounded."""
    words = ("trainer.precision=64-true", "trainer.max_epochs=2")
    whole = run(tmp_path / "whole", *words).folder
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", *words, callbacks=(At("on_train_batch_end", 8, interrupt),))
    Experiment.resume(tmp_path / "cut" / "run")
    assert_same(tmp_path / "cut" / "run", whole)
    assert {value.dtype for value in parameters(whole).values()} == {torch.float64}


def test_more_patience_is_had_from_then_on(tmp_path: Path) -> None:
    """No value is better than the first: with a patience of 3 there are four validations."""
    never = ("stopping.min_delta=1e9", "trainer.max_epochs=9")
    whole = run(tmp_path / "whole", *never, "stopping.patience=3").folder
    cut = run(tmp_path / "cut", *never, "stopping.patience=1").folder
    assert [sum(bool(row["valid/loss"]) for row in rows(folder)) for folder in (whole, cut)] == [4, 2]
    Experiment.resume(cut, "stopping.patience=3")
    assert_same(cut, whole)
