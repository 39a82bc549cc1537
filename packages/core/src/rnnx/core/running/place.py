"""The training batches of a run, and how far it has come in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, final

from lightning.fabric.utilities.data import _set_sampler_epoch

from rnnx.core.batch import Batch
from rnnx.core.data import Loader
from rnnx.core.running import randomness


@final
class Place:
    """A loader of training batches that can be taken up again in the middle of an epoch, whatever it is.

    An epoch follows from its number and from where the random numbers stand at its beginning. So a resumed
    run puts the random numbers there, makes the batches anew that it has seen, and goes on after them; this
    asks nothing of the loader, its sampler, its worker processes.

    Args:
        loader: Batches, as many as its length says; of any epoch if its sampler has ``set_epoch``.

    Attributes:
        start: The random numbers at the beginning of the epoch, from
            :func:`~rnnx.core.running.randomness.capture`.
        before: Those before the last batch was made.
        epoch: The number of the epoch.

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
        self.epoch = 0
        self._resumed: tuple[int, int, dict[str, Any] | None] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Makes the next pass that of ``epoch``; the Lightning trainer calls this."""
        self.epoch = epoch
        _set_sampler_epoch(self.loader, epoch)

    def resume(
        self, epoch: int, start: dict[str, Any], taken: int, before: dict[str, Any] | None = None
    ) -> None:
        """Lets the next pass, if it is that of ``epoch``, begin after some batches.

        Args:
            epoch: Its number.
            start: :attr:`start` in that epoch.
            taken: How many batches of it have been seen.
            before: :attr:`before` the batch that comes; where the random numbers stand by then, if not said.
        """
        self.start, self._resumed = start, (epoch, taken, before)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        epoch, taken, before = self._resumed or (-1, 0, None)
        self._resumed = None
        now = randomness.capture()
        if epoch == self.epoch:
            randomness.restore(self.start)
            batches = iter(self.loader)
            for _ in islice(batches, taken):
                pass
            randomness.restore(now if before is None else before)
        else:
            self.start = now
            batches = iter(self.loader)
        while True:
            self.before = randomness.capture()
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch
