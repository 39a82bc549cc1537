"""The contract of a model without a net, that a task's nets are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from rnnx.core.batch import Batch
from rnnx.core.data import Meta, Split


class Baseline(ABC):
    """A model without a net.

    A plugin of the entry-point group ``rnnx.baselines``, named ``TASK.NAME``.
    The user types ``baseline=NAME``.

    Args:
        meta: As :attr:`rnnx.core.data.Data.meta`.
    """

    @abstractmethod
    def __init__(self, meta: Meta) -> None: ...

    @abstractmethod
    def fit(self, batches: Iterable[Batch]) -> None:
        """Learns from the training split."""

    @abstractmethod
    def evaluate(self, batches: Iterable[Batch], split: Split) -> dict[str, float]:
        """The loss and the task's metrics on a split, under the names that the task gives them."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """How many numbers the model holds."""
