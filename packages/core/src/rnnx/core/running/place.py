"""The training batches of a run, and how far it has come in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, final

from lightning.fabric.utilities.data import _set_sampler_epoch

from rnnx.core.batch import Batch
from rnnx.core.data import Loader
from rnnx.core.errors import RunError
from rnnx.core.running import randomness


@final
class Place:
    """A loader of training batches that can be taken up again in the middle of an epoch, whatever it is.

    An epoch follows from its number and from where the random numbers stand at its beginning. So a resumed
    run puts the random numbers there, makes the batches anew that it has seen, and goes on after them; this
    asks nothing of the loader, its sampler, its worker processes.

    Args:
        loader: Batches, as many as its length says; of any epoch if its sampler has ``set_epoch``.

    Raises:
        RunError: in going through it, the batches that are made anew are not those that were seen.

    Attributes:
        start: The random numbers at the beginning of the epoch, from
            :func:`~rnnx.core.running.randomness.capture`.
        before: Those before the last batch was made.
        epoch: The number of the epoch.
        taken: How many batches of it have been given.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> place = Place(DataLoader(range(100), shuffle=True))
        >>> first, second = (int(batch) for batch in islice(place, 2))
        >>> place.resume(0, place.start, taken=1)
        >>> int(next(iter(place))) == second
        True
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.sampler = self  # whose set_epoch Lightning calls
        self.start: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        self.epoch = self.taken = 0
        self._last: Batch | None = None
        self._resumed: tuple[int, int, dict[str, Any] | None] | None = None
        self._known: tuple[int, int] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Makes the next pass that of ``epoch``; the Lightning trainer calls this."""
        self.epoch = epoch
        _set_sampler_epoch(self.loader, epoch)

    @property
    def known(self) -> tuple[int, int] | None:
        """The number of the batch that was given last in this epoch, and its checksum; None before it."""
        return None if self._last is None else (self.taken, self._last.checksum())

    def resume(
        self,
        epoch: int,
        start: dict[str, Any],
        taken: int,
        before: dict[str, Any] | None = None,
        known: tuple[int, int] | None = None,
    ) -> None:
        """Lets the next pass, if it is that of ``epoch``, begin after some batches.

        Args:
            epoch: Its number.
            start: :attr:`start` in that epoch.
            taken: How many batches of it have been seen.
            before: :attr:`before` the batch that comes; where the random numbers stand by then, if not said.
            known: :attr:`known` in that epoch, with which the batches made anew are compared.
        """
        self.start, self._resumed, self._known = start, (epoch, taken, before), known

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        epoch, taken, before = self._resumed or (-1, 0, None)
        self._resumed, self._last, self.taken = None, None, 0
        now = randomness.capture()
        if epoch == self.epoch:
            randomness.restore(self.start)
            batches = iter(self.loader)
            for batch in islice(batches, taken):
                self._count(batch)
            if self.taken < taken:
                raise self._others(taken)
            randomness.restore(now if before is None else before)
        else:
            self.start, self._known = now, None
            batches = iter(self.loader)
        while True:
            self.before = randomness.capture()
            try:
                batch = next(batches)
            except StopIteration:
                if self._known is not None and self.taken < self._known[0]:
                    raise self._others(self._known[0]) from None
                return
            self._count(batch)
            yield batch

    def _count(self, batch: Batch) -> None:
        self.taken, self._last = self.taken + 1, batch
        if self._known is not None and self._known[0] == self.taken and self._known != self.known:
            raise self._others(self.taken)

    def _others(self, number: int) -> RunError:
        return RunError(
            f"data: expected the training data that the run began with, and batch {number} of epoch "
            f"{self.epoch + 1} is not what it was; put them back, or train anew with rnnx run"
        )
