"""The contract of a source of examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from rnnx.core.batch import Batch

Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "valid", "test")
Meta: TypeAlias = dict[str, Any]


class Loader(Protocol):
    """Batches: so many, and each time one goes through them anew.

    Where epochs differ, they follow from torch's, NumPy's and Python's random numbers at their beginning, or
    from the number that ``sampler.set_epoch`` is told; so they can be made again.
    """

    def __iter__(self) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...


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

        Enough to predict without the data. What it says of one split stands under the split's name, as in
        ``{"examples": {"train": 8, "valid": 2, "test": 2}}``, and where the test data lie under ``places``;
        all else is what a model is made for, and the same whatever it is tested on.
        """

    @abstractmethod
    def loader(self, split: Split) -> Loader:
        """The batches of a split: ``train`` shuffled anew each epoch, the others in order.

        Of several processes (:func:`rnnx.core.processes.rank_and_world_size`) each gets its share of every
        batch, none of them nothing: in training all have equally many batches, elsewhere each example is in
        one of them.

        Args:
            split: ``train``, ``valid`` or ``test``.
        """
