"""The contract of a source of examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from rnnx.core.batch import Batch

Split: TypeAlias = Literal["train", "valid", "test"]
Meta: TypeAlias = dict[str, Any]


class Data(ABC):
    """Examples for one task, in three splits.

    A plugin of the entry-point group ``rnnx.data``, named ``TASK.NAME`` (the user types ``data=NAME``). Its
    constructor takes keyword-only options; it reads nothing before :meth:`prepare`.
    """

    @abstractmethod
    def prepare(self) -> None:
        """Reads, checks and encodes everything; a second call does nothing.

        Raises:
            UsageError: a path the user gave does not exist.
            InputError: the content of a file is wrong.
        """

    @property
    @abstractmethod
    def meta(self) -> Meta:
        """What the data is (vocabulary, classes, ...), as plain JSON types.

        Enough to predict without the data.
        """

    @abstractmethod
    def loader(self, split: Split) -> Iterable[Batch]:
        """The batches of a split: ``train`` shuffled anew each epoch, the others in order.

        Args:
            split: ``train``, ``valid`` or ``test``.
        """
