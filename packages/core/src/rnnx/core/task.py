"""The contract of a task: what is read, what is predicted, and how well."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import lightning as L
import torch
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.utilities.types import LRSchedulerConfigType, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import Metric, SumMetric

from rnnx.core.batch import Batch
from rnnx.core.data import Meta, Split
from rnnx.core.declarations.aims import Aims
from rnnx.core.errors import RunError, UsageError
from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.exhibits.view import View
from rnnx.core.graph import Graph
from rnnx.core.net import Net
from rnnx.core.processes import rank_and_world_size, summed, using
from rnnx.core.running.gradients import GradientNorm
from rnnx.core.running.optimizers import Adam, Optimizer, trained
from rnnx.core.running.schedules import Constant, Schedule
from rnnx.core.state import State

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class Loss:
    """A loss that can be added up over batches without weighting them wrongly.

    Attributes:
        total: The sum over what is predicted, a scalar with a graph.
        count: How many things (tokens, labels) were predicted, a scalar.
    """

    total: Tensor
    count: Tensor


class Task(L.LightningModule, ABC):
    """A problem that any net of any cell can be trained on.

    A plugin of the entry-point group ``rnnx.tasks``. Its constructor takes ``net`` and ``meta`` and then,
    keyword-only, the user's options (``task.dropout=0.3``). All three are plain data, so that a checkpoint
    loads with ``weights_only=True`` and predicts without the data.

    A task writes the forward pass, the loss, the metrics, the samples and :meth:`predict`; the Lightning
    steps and the optimisers are final.

    Attributes:
        monitor: The validation metric that chooses the best checkpoint, if the user asks for no other.
        mode: Whether it is to fall or to rise.
        falling: The other metrics that are better the lower they are.
        counted: What :attr:`Loss.count` counts, in the plural, as tables of throughput call it.
        pipeline: What `Hugging Face <https://huggingface.co/tasks>`_ calls such a problem, if it has a name.
        net: How cells are stacked.
        meta: What the data is.
        watched: The validation metric that chooses the best checkpoint and moves ``schedule=plateau``:
            :attr:`monitor`, or what ``checkpoint.monitor`` says.
        carried: States that the task carries from one batch to the next, by any name; a resumed run has them.
            One that is not finite is forgotten where its step is left out (``stopping.non_finite=skip``).
        gradient_norm: That of the step that is being made.

    Args:
        net: ``{"cell": {"name": ..., options}, options of the section net}``.
        meta: As :attr:`rnnx.core.data.Data.meta`.
    """

    monitor: ClassVar[str] = "loss"
    mode: ClassVar[Literal["min", "max"]] = "min"
    falling: ClassVar[frozenset[str]] = frozenset({"loss", "perplexity", "bits_per_character"})
    counted: ClassVar[str] = "predictions"
    pipeline: ClassVar[str | None] = None

    def __init__(self, net: Mapping[str, Any], meta: Meta) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.net, self.meta = Net.from_plain(net), meta
        self.optimizer: Optimizer = Adam()
        self.schedule: Schedule = Constant()
        self.watched = self.monitor
        self.carried: dict[str, State] = {}
        self._others: list[Self] = []
        self.gradient_norm = GradientNorm()
        self._plateau: ReduceLROnPlateau | None = None
        self._predicted = torch.zeros(())  # by the batches of a step so far
        self._sums: dict[Split, dict[str, Metric]] = {}
        self._scores: dict[Split, dict[str, Metric]] = {}

    @final
    @classmethod
    def rises(cls, metric: str) -> bool:
        """Whether a metric of this task is better the higher it is."""
        return Aims(cls.monitor, cls.mode, cls.falling, cls.counted).rises(metric)

    @final
    @property
    def watched_mode(self) -> Literal["min", "max"]:
        """Whether the watched metric is to fall or to rise."""
        return "max" if self.rises(self.watched) else "min"

    @abstractmethod
    def forward(self, batch: Batch) -> Any:
        """What the net makes of a batch: what the loss and the metrics need."""

    @abstractmethod
    def loss(self, output: Any, batch: Batch) -> Loss:
        """The loss of a batch; while training, what is minimised is ``total / count``.

        Of several processes each has its share of a batch, and both are added up over all of them; and over
        the batches of a step, where it has several.
        """

    @abstractmethod
    def metrics(self, split: Split) -> Mapping[str, Metric]:
        """The metrics of a split, fresh: what each computes is a number, or a map of names to numbers."""

    @abstractmethod
    def observe(
        self, metrics: Mapping[str, Metric], batch: Batch, output: Any, loss: Loss, split: Split
    ) -> None:
        """Updates the metrics with a batch."""

    @abstractmethod
    def samples(self, batch: Batch) -> list[dict[str, Exhibit]]:
        """What the model makes of each example of a batch, for people to read.

        A row each, the same columns in all; the text of the first is a line that :meth:`predict` reads.
        """

    @abstractmethod
    def figures(self, batch: Batch) -> dict[str, Figure]:
        """Pictures of the first example of a batch, by name (an alignment, say); may be empty."""

    @abstractmethod
    def predict(self, lines: Iterable[str]) -> Iterator[str]:
        """Answers line by line, lazily; the keyword-only parameters are options of ``rnnx predict``."""

    def graph(self) -> Graph:
        """The part of the model that an ONNX file computes: what reads a sequence, and classifies it.

        Raises:
            UsageError: there is no such part, which is the default.
        """
        raise UsageError(
            f"ONNX files are for encoders and classifiers, and {type(self).__name__} has no such part by "
            "itself; export a folder instead"
        )

    def views(self) -> list[View]:
        """What there is to watch of the trained model (``rnnx play``); by default what it answers."""
        return [View.of_answers(self.predict)]

    def agree(self, other: Self) -> None:
        """Whether another trained model of this task can answer together with this one; refuses it if not.

        A task that allows any answers by the mean of the probabilities of its :attr:`members`.

        Args:
            other: The other model; how its net is made, and with which options, is its own matter.

        Raises:
            UsageError: what differs and may not; by default no model can.
        """
        raise UsageError("expected one run, as the task knows no way for several to answer together")

    @final
    def join(self, other: Self) -> None:
        """Lets another model answer together with this one from now on, an ensemble.

        Args:
            other: The other model.

        Raises:
            UsageError: the two do not agree.
        """
        self.agree(other)
        self._others.append(other)
        self.add_module(f"member_{len(self._others)}", other)

    @final
    @property
    def members(self) -> list[Self]:
        """The models that answer together, this one first; by itself it is the only one."""
        return [self, *self._others]

    @final
    def training_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        """Lightning's hook: the mean loss of a batch; its sum, and of how many things, of all processes.

        The loss is logged where the trainer hands it on, every so many steps, and after an epoch's last.
        """
        self.gradient_norm.forget()
        loss = self.loss(self(batch), batch)
        total, count = summed(loss.total.detach(), loss.count)
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it elsewhere
        if (self.global_step + 1) % every == 0 or self.trainer.is_last_batch:
            self.log("train/loss", total / count, prog_bar=True, batch_size=len(batch))
        _, ranks = rank_and_world_size()  # whose gradients are averaged, each of its own share of the sum
        mine = loss.total if ranks == 1 else using(loss.total, self.parameters())
        return {"loss": mine / (self._together(count, batch_index) / ranks), "total": total, "count": count}

    def _together(self, count: Tensor, batch_index: int) -> Tensor:
        """What the loss of a batch is divided by, as the gradients of a step's batches are added up.

        That is how many things all of them predicted: those so far, and the gradients of the batches before
        become smaller by what this one adds. Lightning divides by the number of batches, which is undone. Of
        a step's batches some may predict nothing.
        """
        batches: int = self.trainer.accumulate_grad_batches
        if batches == 1:
            return count
        before = self._predicted
        self._predicted = count
        if batch_index % batches:
            self._predicted = before + count
            for parameter in self.parameters():
                if parameter.grad is not None:
                    parameter.grad *= before / self._predicted.clamp(min=1)
        return self._predicted.clamp(min=1) / batches

    @final
    def on_fit_start(self) -> None:
        """Lightning's hook: each process drops other units out."""
        rank, _ = rank_and_world_size()
        if rank:
            torch.manual_seed(torch.initial_seed() + rank)

    @final
    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Lightning's hook."""
        self._evaluate(batch, "valid")

    @final
    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Lightning's hook."""
        self._evaluate(batch, "test")

    @final
    def on_validation_epoch_start(self) -> None:
        """Lightning's hook."""
        self._begin("valid")

    @final
    def on_test_epoch_start(self) -> None:
        """Lightning's hook."""
        self._begin("test")

    @final
    def on_validation_epoch_end(self) -> None:
        """Lightning's hook."""
        values = self._report("valid")
        if self._plateau is not None and self.trainer.state.fn == "fit":
            self._plateau.step(float(values[self.watched]))

    @final
    def on_test_epoch_end(self) -> None:
        """Lightning's hook."""
        self._report("test")

    @final
    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Lightning's hook: the section ``optimizer`` and the section ``schedule``."""
        optimizer = self.optimizer.build(self.parameters())
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise UsageError(
                "trainer.max_epochs: expected a limit of epochs or of steps (trainer.max_steps), got neither"
            )
        scheduler, interval = self.schedule.build(optimizer, int(steps), self.watched_mode)
        moved: LRSchedulerConfigType = {
            "scheduler": scheduler,
            "interval": interval,
            "monitor": f"valid/{self.watched}",
        }
        if interval == "validation":  # Lightning knows none: it keeps the scheduler, and never moves it
            assert isinstance(scheduler, ReduceLROnPlateau)
            self._plateau = scheduler
            moved |= {"interval": "epoch", "frequency": sys.maxsize}
        return {"optimizer": optimizer, "lr_scheduler": moved}

    @final
    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's hook; Lightning's own functions refuse any fused optimiser in mixed precision.

        Raises:
            UsageError: the gradients are still scaled, as those of a fused optimiser in 16-bit precision are.
        """
        if not gradient_clip_val:
            return
        precision = self.trainer.precision_plugin
        scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
        if scaled and getattr(optimizer, "_step_supports_amp_scaling", False):
            raise UsageError(
                "trainer.gradient_clip_val: expected 0 with trainer.precision=16-mixed and an optimizer "
                f"whose step is fused, got {gradient_clip_val}; take one that is not, or bf16-mixed"
            )
        parameters = trained(optimizer)
        if gradient_clip_algorithm == "value":
            nn.utils.clip_grad_value_(parameters, gradient_clip_val)
        else:
            nn.utils.clip_grads_with_norm_(parameters, gradient_clip_val, self.gradient_norm.of(optimizer))

    def _begin(self, split: Split) -> None:
        sums = {name: SumMetric(nan_strategy="disable") for name in ("total", "count")}  # a lost run says so
        self._sums[split] = {
            name: metric.set_dtype(torch.float64).to(self.device) for name, metric in sums.items()
        }
        self._scores[split] = {name: metric.to(self.device) for name, metric in self.metrics(split).items()}

    def _evaluate(self, batch: Batch, split: Split) -> None:
        output = self(batch)
        loss = self.loss(output, batch)
        self._sums[split]["total"].update(loss.total)
        self._sums[split]["count"].update(loss.count)
        self.observe(self._scores[split], batch, output, loss, split)

    @final
    @torch.no_grad()
    def measures(self, batch: Batch) -> list[str]:
        """The names of the validation metrics, as a batch gives them; the model stays as it was."""
        training, carried = self.training, self.carried
        self.carried = {}
        self.eval()
        self._begin("valid")
        self._evaluate(batch, "valid")
        names = list(self._values("valid"))
        self.train(training)
        self.carried = carried
        return names

    def _values(self, split: Split) -> dict[str, Any]:
        sums = self._sums.pop(split)
        values = {"loss": sums["total"].compute() / sums["count"].compute()}
        for name, metric in self._scores.pop(split).items():
            found = metric.compute()
            values |= _numbers(found if isinstance(found, dict) else {name: found})
        return values

    def _report(self, split: Split) -> dict[str, Any]:
        values = self._values(split)
        if split == "valid" and self.monitor not in values:
            raise RunError(
                f"{type(self).__name__}.monitor: no metric is called {self.monitor!r} ({', '.join(values)})"
            )
        self.log_dict({f"{split}/{name}": float(value) for name, value in values.items()})
        return values


def _numbers(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a metric computes, by name.

    Raises:
        RunError: one has the name of the loss, or is no number.
    """
    for name, value in found.items():
        if name == "loss":
            raise RunError("metrics: 'loss' is the task's loss already; give the metric another name")
        if isinstance(value, Tensor) and value.numel() != 1:
            raise RunError(
                f"metrics: {name!r} computes a tensor of shape {tuple(value.shape)}, expected a number, or a "
                "map of names to numbers"
            )
    return found
