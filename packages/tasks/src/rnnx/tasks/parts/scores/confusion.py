"""Which class was taken for which: accuracy, macro F1, and the matrix as a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor
from torchmetrics import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Confusion(Metric, ABC):
    """The confusion matrix.

    Args:
        classes: How many there are.

    Attributes:
        counts: ``(C, C)``, a row for each true class, a column for each answer; those of this process.
        whole: The same of all processes, as they were when the metric was last computed; None before that.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.whole: Tensor | None = None
        self.add_state("counts", torch.zeros(classes, classes, dtype=torch.long), dist_reduce_fx="sum")

    @final
    def update(self, truth: Tensor, answers: Tensor) -> None:
        """Counts true classes ``(M,)`` and answers ``(M,)``."""
        pairs = torch.bincount(truth * self.classes + answers, minlength=self.classes**2)
        self.counts += pairs.unflatten(0, (self.classes, self.classes))

    @final
    def compute(self) -> dict[str, Tensor]:
        """The scores."""
        self.whole = self.counts
        return self.scores()

    @abstractmethod
    def scores(self) -> dict[str, Tensor]:
        """What the counts come to, by name."""


@final
class ConfusionMatrix(Confusion):
    """The confusion matrix alone, without a score.

    Example:
        >>> metric = ConfusionMatrix(2)
        >>> metric.update(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
        >>> metric.compute(), metric.whole.tolist()
        ({}, [[1, 0], [1, 1]])
    """

    def scores(self) -> dict[str, Tensor]:
        """No scores."""
        return {}


@final
class ClassScores(Confusion):
    """In percent the accuracy, and the mean of the classes' F1.

    A class that occurs neither in truth nor among the answers has no F1 and no part in the mean.

    Example:
        >>> metric = ClassScores(3)
        >>> metric.update(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
        >>> {name: round(float(value), 2) for name, value in metric.compute().items()}
        {'accuracy': 75.0, 'f1': 73.33}
    """

    def scores(self) -> dict[str, Tensor]:
        """``accuracy`` and ``f1``, from 0 to 100."""
        counts = self.counts.double()
        right, both = counts.diag(), counts.sum(0) + counts.sum(1)
        f1 = 2 * right[both > 0] / both[both > 0]
        return {"accuracy": 100 * right.sum() / counts.sum(), "f1": 100 * f1.mean()}


def confusion_figures(confusion: Confusion | None, classes: Sequence[str]) -> dict[str, Figure]:
    """The picture of a confusion matrix, by its name; none before the metric was computed.

    Args:
        confusion: The metric, if there is one yet.
        classes: The names of its classes.
    """
    if confusion is None or confusion.whole is None:
        return {}
    return {"confusion": confusion_figure(confusion.whole, classes)}


def confusion_figure(counts: Tensor, classes: Sequence[str]) -> Figure:
    """The matrix as a picture: how many of each true class were taken for which; colours are shares of rows.

    Args:
        counts: ``(C, C)``, see :class:`Confusion`.
        classes: Their names.

    Returns:
        A figure of its own, bound to no window.

    Example:
        >>> figure = confusion_figure(torch.tensor([[3, 1], [0, 4]]), ["bad", "good"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['3', '1', '0', '4']
    """
    from matplotlib.figure import Figure

    counts = counts.detach().cpu()
    size = 2.5 + 0.7 * len(classes)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    image = axes.imshow(shares.float().numpy(), cmap="Blues", vmin=0, vmax=1)
    for row, line in enumerate(counts.tolist()):
        for column, count in enumerate(line):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    places = range(len(classes))
    axes.set_xticks(places, labels=classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(places, labels=classes, parse_math=False)
    axes.set(xlabel="answer", ylabel="truth")
    figure.colorbar(image, label="share of the class", shrink=0.8)
    return figure
