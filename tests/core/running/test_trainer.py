from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.profilers import SimpleProfiler
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rnnx.core.errors import UsageError
from rnnx.core.running.trainer import Trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
)
THEIRS = inspect.signature(L.Trainer).parameters
OURS = inspect.signature(Trainer).parameters


@pytest.fixture(autouse=True)
def algorithms() -> Iterator[None]:
    """What a trainer sets for the whole process."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)


def built(path: Path, **options: Any) -> L.Trainer:
    return Trainer(accelerator="cpu", **options).build(path, [], [])


@pytest.mark.parametrize("name", OURS)
def test_an_option_is_lightnings(name: str) -> None:
    assert name in THEIRS


@pytest.mark.parametrize(
    ("options", "attribute", "expected"),
    [
        ({"max_epochs": 7}, "max_epochs", 7),
        ({"max_steps": 9}, "max_steps", 9),
        ({"devices": 2, "strategy": "ddp"}, "num_devices", 2),
        ({"num_nodes": 3, "strategy": "ddp"}, "num_nodes", 3),
        ({"precision": "64-true"}, "precision", "64-true"),
        ({"gradient_clip_val": 0.7}, "gradient_clip_val", 0.7),
        ({"gradient_clip_algorithm": "value"}, "gradient_clip_algorithm", "value"),
        ({"accumulate_grad_batches": 4}, "accumulate_grad_batches", 4),
        ({"limit_train_batches": 3}, "limit_train_batches", 3),
        ({"limit_val_batches": 0.25}, "limit_val_batches", 0.25),
        ({"limit_test_batches": 5}, "limit_test_batches", 5),
        ({"val_check_interval": 0.5}, "val_check_interval", 0.5),
        ({"check_val_every_n_epoch": 2}, "check_val_every_n_epoch", 2),
        ({"log_every_n_steps": 6}, "log_every_n_steps", 6),
        ({}, "max_epochs", 10),
        ({}, "gradient_clip_val", 1.0),
        ({}, "num_devices", 1),
        ({}, "num_sanity_val_steps", 0),
    ],
)
def test_an_option_reaches_lightning(
    tmp_path: Path, options: dict[str, Any], attribute: str, expected: object
) -> None:
    assert getattr(built(tmp_path, **options), attribute) == expected


def test_what_lightning_keeps_elsewhere(tmp_path: Path) -> None:
    trainer = built(tmp_path, max_time="01:02:03:04", profiler="simple", detect_anomaly=True, strategy="ddp")
    (timer,) = (callback for callback in trainer.callbacks if isinstance(callback, Timer))
    assert timer.time_remaining() == timedelta(days=1, hours=2, minutes=3, seconds=4).total_seconds()
    assert isinstance(trainer.profiler, SimpleProfiler)
    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer._detect_anomaly


@pytest.mark.parametrize(
    ("deterministic", "strict", "warn"), [(True, True, False), ("warn", True, True), (False, False, False)]
)
def test_deterministic_algorithms(tmp_path: Path, deterministic: Any, strict: bool, warn: bool) -> None:
    built(tmp_path, deterministic=deterministic)
    assert torch.are_deterministic_algorithms_enabled() == strict
    assert torch.is_deterministic_algorithms_warn_only_enabled() == warn


class Line(L.LightningModule):
    """One weight whose gradient is the input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def training_step(self, batch: Tensor, number: int) -> Tensor:
        self.log("loss", 1.0)
        return (batch * self.weight).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


class Seen(L.Callback):
    """Counts the epochs."""

    epochs = 0

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.epochs += 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"gradient_clip_val": 1.0}, [-0.6, -0.8]),
        ({"gradient_clip_val": 0.0}, [-3.0, -4.0]),
        ({"gradient_clip_val": 3.5, "gradient_clip_algorithm": "value"}, [-3.0, -3.5]),
        ({"gradient_clip_val": 0.0, "max_epochs": 3}, [-9.0, -12.0]),
        ({"gradient_clip_val": 0.0, "max_epochs": 3, "max_steps": 2}, [-6.0, -8.0]),
    ],
)
def test_it_trains(tmp_path: Path, options: dict[str, Any], expected: list[float]) -> None:
    model, seen, logger = Line(), Seen(), CSVLogger(tmp_path / "log", name="", version="")
    options = {"max_epochs": 1, "log_every_n_steps": 1} | options
    trainer = Trainer(accelerator="cpu", **options).build(tmp_path, [logger], [seen])
    loader = DataLoader(torch.tensor([[3.0, 4.0]]))  # type: ignore[arg-type]
    trainer.fit(model, loader)
    assert model.weight.tolist() == pytest.approx(expected, rel=1e-5)
    assert seen.epochs == trainer.current_epoch == min(options["max_epochs"], options.get("max_steps", 9))
    assert trainer.default_root_dir == str(tmp_path)
    assert (tmp_path / "log" / "metrics.csv").is_file()


def test_nothing_of_lightnings_own_is_shown_or_kept(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu").build(tmp_path, [], [])
    assert trainer.progress_bar_callback is trainer.checkpoint_callback is None
    assert trainer.loggers == []


def test_what_a_cpu_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match=r"precision: .* got 16-mixed, which needs a GPU; bf16-mixed"):
        Trainer(accelerator="cpu", precision="16-mixed").check()


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_what_a_cpu_can_do_is_not(precision: str) -> None:
    Trainer(accelerator="cpu", precision=precision).check()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_epochs": 0}, "trainer.max_epochs: expected at least 1, or -1 for no limit, got 0, "),
        ({"max_steps": 0}, "trainer.max_steps: expected at least 1, or -1 for no limit, got 0, "),
        ({"limit_train_batches": 0}, "trainer.limit_train_batches: expected at least one batch, "),
        ({"limit_train_batches": 0.0}, "trainer.limit_train_batches: expected at least one batch, "),
        (
            {"max_epochs": -1, "max_time": "00:01:00:00"},
            "trainer.max_epochs: expected a limit of epochs or of ",
        ),
        ({"max_time": "1h"}, "trainer.max_time: expected more than no time, as DD:HH:MM:SS, "),
        ({"max_time": "01:30:00"}, "trainer.max_time: "),
        ({"max_time": "00:00:00:00"}, "trainer.max_time: "),
        ({"accelerator": "tpu"}, "trainer.accelerator: expected one that this machine has (cpu"),
        ({"strategy": "dpp"}, "trainer.strategy: expected auto or a strategy of Lightning's, "),
        ({"strategy": "fsdp"}, "trainer.strategy: expected one that leaves each process the whole model, "),
        ({"strategy": "deepspeed_stage_2"}, "trainer.strategy: expected one that leaves each process the "),
    ],
)
def test_what_would_end_within_lightning_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        Trainer(**{"accelerator": "cpu"} | options).check()
    (sentence,) = refused.value.problems
    assert sentence.startswith(problem)
    assert "\n" not in sentence


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        Trainer(accelerator="tpu", max_epochs=0, max_time="soon").check()
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "trainer.max_epochs",
        "trainer.max_time",
        "trainer.accelerator",
    ]


def test_looking_changes_nothing_for_others() -> None:
    for before in (False, True):
        torch.use_deterministic_algorithms(before)
        Trainer(accelerator="cpu", deterministic=not before, detect_anomaly=True).check()
        assert torch.are_deterministic_algorithms_enabled() == before
        assert not torch.is_anomaly_enabled()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"val_check_interval": 9}, "trainer.val_check_interval: expected at most the 8 batches "),
        (
            {"val_check_interval": 4, "limit_train_batches": 3},
            "trainer.val_check_interval: .* 3 batches ",
        ),
        (
            {"val_check_interval": 5, "limit_train_batches": 0.5},
            "trainer.val_check_interval: .* 4 batches ",
        ),
        ({"limit_train_batches": 0.1}, "trainer.limit_train_batches: .* at least one of 8, got 0.1$"),
        ({"limit_val_batches": 0.1}, "trainer.limit_val_batches: .* at least one of 4, got 0.1$"),
        ({"limit_test_batches": 0.1}, "trainer.limit_test_batches: .* at least one of 2, got 0.1$"),
    ],
)
def test_numbers_that_the_data_does_not_have_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=f"^{problem}"):
        Trainer(**options).check_batches({"train": 8, "valid": 4, "test": 2})


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({"val_check_interval": 8}, 4),
        ({"val_check_interval": 0.01}, 4),
        ({"val_check_interval": 9, "limit_val_batches": 0}, 4),
        ({"val_check_interval": 9}, 0),
        ({"limit_train_batches": 0.125, "limit_val_batches": 0.25, "limit_test_batches": 0.5}, 4),
        ({"limit_train_batches": 100, "limit_val_batches": 100, "limit_test_batches": 0}, 4),
    ],
)
def test_numbers_that_the_data_has_are_not(options: dict[str, Any], valid: int) -> None:
    Trainer(**options).check_batches({"train": 8, "valid": valid, "test": 2})
