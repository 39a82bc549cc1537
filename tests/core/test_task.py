"""The contract of tasks, on the smallest one: the mean of numbers, trained by Lightning itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import CatMetric, MaxMetric, Metric

from rnnx.core.batch import Batch
from rnnx.core.data import Split
from rnnx.core.errors import RunError, UsageError
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.net import Net
from rnnx.core.running.optimizers import SGD, Adam, Optimizer
from rnnx.core.running.schedules import Cosine, Exponential, InverseSqrt, Plateau
from rnnx.core.task import Loss, Task

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec.*:FutureWarning",  # lightning's use of torch
    "ignore:GPU available but not used",
    "ignore:.*logging interval",
)
NET = {"cell": {"name": "elman", "hidden_size": 2}}


class Extremes(Metric):
    """Two numbers of one metric."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("low", torch.tensor(torch.inf), dist_reduce_fx="min")
        self.add_state("high", torch.tensor(-torch.inf), dist_reduce_fx="max")

    def update(self, values: Tensor) -> None:
        self.low, self.high = torch.minimum(self.low, values.min()), torch.maximum(self.high, values.max())

    def compute(self) -> dict[str, Tensor]:
        return {"low": self.low, "high": self.high}


class Mean(Task):
    """Learns one number; the loss is half its squared distance from the targets."""

    monitor, mode = "high", "max"

    def __init__(self, net: Mapping[str, Any], meta: dict[str, Any], *, first: float = 0.0) -> None:
        super().__init__(net, meta)
        self.guess = nn.Parameter(torch.tensor(first))

    def forward(self, batch: Batch) -> Tensor:
        return self.guess.expand(batch.targets.shape)

    def loss(self, output: Tensor, batch: Batch) -> Loss:
        return Loss(((output - batch.targets) ** 2).sum() / 2, torch.tensor(batch.targets.numel()))

    def metrics(self, split: Split) -> Mapping[str, Metric]:
        return {"extremes": Extremes(), **({"largest": MaxMetric()} if split == "test" else {})}

    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Tensor, loss: Loss, split: Split
    ) -> None:
        for metric in metrics.values():
            metric.update(batch.targets)

    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        return []

    def figures(self, batch: Batch) -> dict[str, Any]:
        return {}

    def predict(self, lines: Iterable[str]) -> Iterator[str]:
        return (f"{self.guess.item():.2f} {self.meta['unit']}" for _ in lines)


def loader(*batches: list[float]) -> DataLoader[Batch]:
    """Batches of these targets."""
    made = [
        Batch(torch.zeros(len(t), 1), torch.ones(len(t)).long(), torch.tensor(t), torch.arange(len(t)))
        for t in batches
    ]
    return DataLoader(made, batch_size=None)  # type: ignore[arg-type]


def trainer(folder: Path, **options: Any) -> L.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    return L.Trainer(accelerator="cpu", default_root_dir=folder, **(quiet | options))  # type: ignore[arg-type]


def fit(task: Task, folder: Path, *batches: list[float], **options: Any) -> L.Trainer:
    quiet = {"num_sanity_val_steps": 0, "enable_checkpointing": False, "max_epochs": 1}
    done = trainer(folder, **(quiet | options))
    done.fit(task, loader(*batches), loader([0.0]))
    return done


def test_it_is_abstract_and_its_steps_are_final() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Task(NET, {})  # type: ignore[abstract]
    hooks = ("training_step", "validation_step", "test_step", "configure_optimizers")
    assert all(getattr(Task, hook).__final__ for hook in hooks)


def test_it_has_its_net_and_its_data_in_plain_form() -> None:
    task = Mean(NET, {"unit": "cm"}, first=3.0)
    assert isinstance(task.net, Net)
    assert task.net.encoder(5).output_size == 2
    assert list(task.predict(["a", "b"])) == ["3.00 cm", "3.00 cm"]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_losses_are_weighted_by_what_was_predicted(tmp_path: Path, split: str) -> None:
    """Losses 8, 2, 2 and 0: mean 3, whereas the mean of the batches' means is (4 + 0) / 2."""
    run = trainer(tmp_path)
    evaluate = run.validate if split == "valid" else run.test
    (values,) = evaluate(Mean(NET, {}), loader([4.0, 2.0, -2.0], [0.0]), verbose=False)
    assert values[f"{split}/loss"] == 3
    expected = {"loss": 3, "low": -2, "high": 4} | ({"largest": 4} if split == "test" else {})
    assert values == {f"{split}/{name}": value for name, value in expected.items()}


def test_each_evaluation_begins_anew(tmp_path: Path) -> None:
    task, run = Mean(NET, {}), trainer(tmp_path)
    run.validate(task, loader([4.0], [9.0]), verbose=False)
    (values,) = run.validate(task, loader([2.0]), verbose=False)
    assert values == {"valid/loss": 2, "valid/low": 2, "valid/high": 2}
    (values,) = run.test(task, loader([1.0]), verbose=False)
    assert values == {"test/loss": 0.5, "test/low": 1, "test/high": 1, "test/largest": 1}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"monitor": "hihg"}, "Wrong.monitor: no metric is called 'hihg' (loss, low, high)"),
        (
            {"metrics": lambda self, split: {"loss": MaxMetric()}},
            "metrics: 'loss' is the task's loss already; give the metric another name",
        ),
        (
            {"metrics": lambda self, split: {"all": CatMetric()}},
            "metrics: 'all' computes a tensor of shape (2,), expected a number, or a map of names to numbers",
        ),
    ],
)
def test_metrics_that_cannot_be_reported_are_told(
    changed: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    task = type("Wrong", (Mean,), changed)(NET, {})
    with pytest.raises(RunError) as refused:
        trainer(tmp_path).validate(task, loader([4.0, 2.0]), verbose=False)
    assert str(refused.value) == problem


def test_a_large_sum_loses_no_small_loss(tmp_path: Path) -> None:
    """In 32 bits 2 ** 25 + 1/2 is 2 ** 25, however often it is added."""
    run = trainer(tmp_path)
    (values,) = run.validate(Mean(NET, {}), loader([2.0**13], *[[1.0]] * 199), verbose=False)
    assert values["valid/loss"] == pytest.approx((2**25 + 199 / 2) / 200, rel=1e-7)


def test_a_loss_that_is_no_number_is_not_left_out(tmp_path: Path) -> None:
    (values,) = trainer(tmp_path).validate(Mean(NET, {}), loader([1.0], [math.nan], [2.0]), verbose=False)
    assert math.isnan(values["valid/loss"])


def test_the_step_follows_the_mean_loss(tmp_path: Path) -> None:
    """The gradient of the mean is the guess minus the mean of the targets, whatever their number."""
    task = Mean(NET, {}, first=1.0)
    task.optimizer = SGD(lr=0.5)
    fit(task, tmp_path, [3.0, 5.0, 7.0])
    assert task.guess.item() == pytest.approx(1 + 0.5 * (5 - 1))


def test_what_is_logged_of_a_step_is_its_mean_loss_and_count(tmp_path: Path) -> None:
    class Watch(L.Callback):
        def on_train_batch_end(self, run: L.Trainer, *arguments: Any) -> None:
            seen.append((run.callback_metrics["train/loss"].item(), arguments[1]["count"].item()))

    seen: list[tuple[float, int]] = []
    task = Mean(NET, {})
    task.optimizer = SGD(lr=0.0)
    fit(task, tmp_path, [2.0, 4.0], [6.0], callbacks=[Watch()], log_every_n_steps=1)
    assert seen == [(5.0, 2), (18.0, 1)]


def test_what_is_logged_is_of_every_so_many_steps_and_of_the_last_of_an_epoch(tmp_path: Path) -> None:
    class Watch(L.Callback):
        def on_train_batch_end(self, run: L.Trainer, *arguments: Any) -> None:
            seen.append(run.callback_metrics.get("train/loss", torch.tensor(-1.0)).item())

    seen: list[float] = []
    task = Mean(NET, {})
    task.optimizer = SGD(lr=0.0)
    batches = [[float(number)] for number in range(5)]
    fit(task, tmp_path, *batches, callbacks=[Watch()], log_every_n_steps=3, max_epochs=2)
    of_step = [-1.0, -1.0, 2.0, 2.0, 4.0, 0.0, 0.0, 0.0, 3.0, 4.0]  # steps 3, 5; 6, 9, 10
    assert seen == [loss**2 / 2 if loss > 0 else loss for loss in of_step]


def test_the_default_is_adam_at_a_constant_rate(tmp_path: Path) -> None:
    """Adam's first steps under a constant gradient's sign are as long as the rate."""
    task = Mean(NET, {})
    run = fit(task, tmp_path, [1e6], [1e6], [1e6])
    assert task.guess.item() == pytest.approx(3 * Adam().lr, rel=1e-4)
    assert [type(optimizer) for optimizer in run.optimizers] == [torch.optim.Adam]


def test_every_parameter_is_given_to_the_optimizer(tmp_path: Path) -> None:
    class Spy(Optimizer):
        def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
            given.extend(parameters)
            return torch.optim.SGD(given, lr=0.1)

    given: list[nn.Parameter] = []
    task = Mean(NET, {})
    task.optimizer = Spy()
    fit(task, tmp_path, [1.0])
    assert [id(parameter) for parameter in given] == [id(task.guess)]


def rates(folder: Path, task: Task, epochs: int, *batches: list[float], **options: Any) -> list[float]:
    """The learning rate of each step."""
    monitor = LearningRateMonitor("step")
    logger = CSVLogger(folder, name="", version="")
    options |= {"callbacks": [monitor], "logger": logger, "log_every_n_steps": 1}
    fit(task, folder, *batches, max_epochs=epochs, **options)
    logger.save()
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    column = next(number for number, name in enumerate(rows[0]) if name.startswith("lr-"))
    return [float(row[column]) for row in rows[1:] if row[column]]


def test_a_schedule_of_epochs(tmp_path: Path) -> None:
    task = Mean(NET, {})
    task.optimizer, task.schedule = SGD(lr=0.8), Exponential(factor=0.5, hold=2)
    assert rates(tmp_path, task, 4, [1.0], [2.0]) == [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]


def test_a_schedule_of_steps_knows_how_many_there_are(tmp_path: Path) -> None:
    task = Mean(NET, {})
    task.optimizer, task.schedule = SGD(lr=1.0), Cosine(final=0.0)
    expected = [(1 + math.cos(math.pi * step / 5)) / 2 for step in range(6)]
    assert rates(tmp_path, task, 2, [1.0], [2.0], [3.0]) == pytest.approx(expected)


def test_a_schedule_of_steps_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """Steps 1 to 3, and 4 to 6 of a training that goes on from them: 2 / 4 ** 0.5 and so on by hand."""
    batches = [[1.0], [2.0], [3.0]]

    def new() -> Task:
        task = Mean(NET, {})
        task.optimizer, task.schedule = SGD(lr=2.0), InverseSqrt(warmup=1)
        return task

    def rate(run: L.Trainer) -> float:
        lr: float = run.optimizers[0].param_groups[0]["lr"]
        return lr

    class Watch(L.Callback):
        def on_train_batch_start(self, run: L.Trainer, *arguments: Any) -> None:
            seen.append(rate(run))

    seen: list[float] = []
    fit(new(), tmp_path, *batches, callbacks=[Watch()]).save_checkpoint(tmp_path / "stopped.ckpt")
    more = trainer(
        tmp_path, num_sanity_val_steps=0, enable_checkpointing=False, max_epochs=2, callbacks=[Watch()]
    )
    more.fit(new(), loader(*batches), loader([0.0]), ckpt_path=tmp_path / "stopped.ckpt")
    assert seen == pytest.approx([2 / number**0.5 for number in range(1, 7)])


def test_a_schedule_that_follows_the_monitored_metric_the_right_way(tmp_path: Path) -> None:
    """The target rises with each validation: no plateau for a metric that is to rise."""

    class Rising(Mean):
        def observe(self, metrics: Any, batch: Batch, output: Any, loss: Loss, split: Split) -> None:
            metrics["extremes"].update(torch.tensor([self.direction * float(self.current_epoch)]))

    for direction, expected in ((1.0, [0.8] * 4), (-1.0, [0.8, 0.8, 0.4, 0.2])):
        task = Rising(NET, {})
        task.direction = direction
        task.optimizer, task.schedule = SGD(lr=0.8), Plateau(factor=0.5, patience=0)
        assert rates(tmp_path / str(direction), task, 4, [1.0]) == expected


def test_the_watched_metric_may_be_another_than_the_tasks(tmp_path: Path) -> None:
    """``high`` rises and is what the task monitors; ``loss`` rises too, and is no progress."""

    class Both(Mean):
        falling = Task.falling | {"low"}

        def observe(self, metrics: Any, batch: Batch, output: Any, loss: Loss, split: Split) -> None:
            metrics["extremes"].update(torch.tensor([float(self.current_epoch)]))

        def loss(self, output: Any, batch: Batch) -> Loss:
            right = super().loss(output, batch)
            return right if self.training else Loss(right.total * 0 + self.current_epoch, right.count)

    for watched, mode, expected in (
        ("high", "max", [0.8] * 4),
        ("low", "min", [0.8, 0.8, 0.4, 0.2]),
        ("loss", "min", [0.8, 0.8, 0.4, 0.2]),
    ):
        task = Both(NET, {})
        assert (task.watched, task.watched_mode) == ("high", "max")
        task.watched = watched
        assert task.watched_mode == mode
        task.optimizer, task.schedule = SGD(lr=0.8), Plateau(factor=0.5, patience=0)
        assert rates(tmp_path / watched, task, 4, [1.0]) == expected


def test_which_measures_there_are_is_told_and_leaves_nothing_behind() -> None:
    task = Mean(NET, {}).train()
    (batch,) = loader([4.0, 2.0])
    state = (torch.ones(1, 1),)
    task.carried["train"] = state
    assert task.measures(batch) == ["loss", "low", "high"]
    assert task.training
    assert task.carried == {"train": state}


class Worse(Mean):
    """The metric that is to rise falls with each validation."""

    validations = 0

    def observe(self, metrics: Any, batch: Batch, output: Any, loss: Loss, split: Split) -> None:
        self.validations += 1
        metrics["extremes"].update(torch.tensor([-float(self.validations)]))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"val_check_interval": 0.5}, [0.8] * 6 + [0.4] * 2),
        ({"check_val_every_n_epoch": 2}, [0.8] * 8),
        ({"limit_val_batches": 0}, [0.8] * 8),
    ],
)
def test_a_plateau_is_one_of_validations(
    tmp_path: Path, options: dict[str, Any], expected: list[float]
) -> None:
    task = Worse(NET, {})
    task.optimizer, task.schedule = SGD(lr=0.8), Plateau(factor=0.5, patience=1)
    assert rates(tmp_path, task, 2, [1.0], [1.0], [1.0], [1.0], **options)[:8] == expected


def test_a_validation_after_the_training_is_none_of_the_plateaus(tmp_path: Path) -> None:
    task = Worse(NET, {})
    task.optimizer, task.schedule = SGD(lr=0.8), Plateau(factor=0.5, patience=0)
    run = fit(task, tmp_path, [1.0])
    trainer(tmp_path).validate(task, loader([0.0]), verbose=False)
    assert run.optimizers[0].param_groups[0]["lr"] == 0.8


def test_the_batches_of_a_step_are_one(tmp_path: Path) -> None:
    """The mean of all ten targets is 1, that of the batches' means 5; a step of one batch is a whole one."""
    task = Mean(NET, {})
    task.optimizer = SGD(lr=1.0)
    fit(task, tmp_path, [10.0], [0.0] * 9, accumulate_grad_batches=2)
    assert task.guess.item() == pytest.approx(1.0)
    fit(task, tmp_path, [1.0, 2.0], [3.0], [2.0] * 5, [4.0], [6.0], accumulate_grad_batches=4)
    assert task.guess.item() == pytest.approx(6.0)


def test_a_batch_of_a_step_may_predict_nothing(tmp_path: Path) -> None:
    task = Mean(NET, {})
    task.optimizer = SGD(lr=1.0)
    fit(task, tmp_path, [], [4.0, 2.0], [], accumulate_grad_batches=3)
    assert task.guess.item() == pytest.approx(3.0)


def half_precision(folder: Path, fused: bool) -> float:
    """The gradient is 8, clipped at a quarter."""

    class Own(Optimizer):
        def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=1.0, fused=fused)

    task = Mean(NET, {})
    task.optimizer = Own()
    half = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
    fit(task, folder, [8.0], plugins=[half], gradient_clip_val=0.25)
    return task.guess.item()


def test_scaled_gradients_are_clipped_as_they_are_without_their_scale(tmp_path: Path) -> None:
    assert half_precision(tmp_path, fused=False) == pytest.approx(0.25, rel=1e-3)


def test_gradients_that_are_still_scaled_are_not_clipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^trainer\.gradient_clip_val: expected 0 with trainer\.precision"):
        half_precision(tmp_path, fused=True)


@pytest.mark.parametrize(
    ("algorithm", "value", "expected"), [("norm", 0.25, 0.25), ("value", 0.5, 0.5), (None, None, 8.0)]
)
def test_the_gradient_is_clipped(
    tmp_path: Path, algorithm: str | None, value: float | None, expected: float
) -> None:
    task = Mean(NET, {})
    task.optimizer = SGD(lr=1.0)
    fit(task, tmp_path, [8.0], gradient_clip_val=value, gradient_clip_algorithm=algorithm)
    assert task.guess.item() == pytest.approx(expected, rel=1e-4)


def test_a_checkpoint_is_plain_data_and_loads_alone(tmp_path: Path) -> None:
    meta = {"unit": "cm", "vocabulary": {"tokens": ["a", "b"]}, "sizes": [1, 2.5, None, True]}
    task = Mean(NET, meta, first=1.0)
    task.optimizer = SGD(lr=0.5)
    done = fit(task, tmp_path, [3.0], enable_checkpointing=True)
    done.save_checkpoint(tmp_path / "kept.ckpt")
    checkpoint = torch.load(tmp_path / "kept.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"] == {"net": NET, "meta": meta, "first": 1.0}
    assert set(checkpoint["state_dict"]) == {"guess"}
    again = Mean.load_from_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
    assert list(again.predict(["?"])) == ["2.00 cm"]


def test_a_task_knows_which_metrics_rise() -> None:
    assert Mean.rises("high")
    assert Mean.rises("another")
    assert not Mean.rises("loss")

    class Lowered(Mean):
        monitor, mode = "low", "min"
        falling = Task.falling | {"error"}

    assert [Lowered.rises(name) for name in ("low", "error", "loss", "high")] == [False, False, False, True]
