"""Batches of sequences of one length, each batch with random numbers of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnx.core.batch import Batch
from rnnx.core.processes import rank_and_world_size, shareable


@final
class Draw(NamedTuple):
    """What a batch is made from.

    Attributes:
        positions: Those of its examples in their split, ``(N,)``, of all processes together.
        seed: Of its random numbers.
        share: Which of its examples this process keeps.
    """

    positions: Tensor
    seed: int
    share: slice = slice(None)


def loader(
    make: Callable[[Draw], Batch], count: int, batch_size: int, *, shuffle: bool, training: bool
) -> DataLoader[Batch]:
    """A loader of batches.

    Args:
        make: Makes a batch.
        count: Examples of the split.
        batch_size: Examples in a batch of each process; the last may be smaller.
        shuffle: Whether each epoch has an order of its own.
        training: Whether all processes have equally many batches.

    Example:
        >>> split = whole(torch.zeros(5, 3), torch.zeros(5, 1))
        >>> batches = loader(
        ...     lambda draw: split.select(draw.positions.tolist()),
        ...     5,
        ...     batch_size=2,
        ...     shuffle=False,
        ...     training=False,
        ... )
        >>> [batch.index.tolist() for batch in batches]
        [[0, 1], [2, 3], [4]]
    """
    return DataLoader(
        Made(make),
        sampler=Draws(count, batch_size, shuffle=shuffle, training=training),
        batch_size=None,
        pin_memory=torch.cuda.is_available(),
    )


def generator(*key: str | int) -> torch.Generator:
    """Random numbers that follow from a key alone; another key gives others.

    Example:
        >>> one, same, other = (torch.rand(9, generator=generator("test", n)) for n in (1, 1, 2))
        >>> bool((one == same).all()), bool((one == other).any())
        (True, False)
    """
    return torch.Generator().manual_seed(random.Random(repr(key)).getrandbits(32))


def whole(inputs: Tensor, targets: Tensor) -> Batch:
    """Examples in order, as one batch.

    Args:
        inputs: ``(N, T, ...)``, without padding.
        targets: ``(N, K)``.
    """
    count, steps = inputs.shape[:2]
    return Batch(inputs, torch.full((count,), steps), targets, torch.arange(count))


@final
class Made(Dataset[Batch]):
    """Batches made when they are asked for.

    Args:
        make: Makes a batch.
    """

    def __init__(self, make: Callable[[Draw], Batch]) -> None:
        self.make = make

    def __getitem__(self, draw: Draw) -> Batch:
        batch = self.make(draw)
        return batch.select(range(len(batch))[draw.share])


@final
class Draws(Sampler[Draw]):
    """What the batches of an epoch are made from: each position once, and a seed for each batch.

    Epoch ``e`` depends on torch's seed (read when this is made) and ``e`` alone, so a resumed run sees what
    it would have seen. What one process draws with batches of 16, two draw with batches of 8.

    A batch with fewer examples than there are processes is left out of training, where all must have equally
    many; elsewhere those that would have none leave it out.

    Args:
        count: Examples of the split.
        batch_size: Examples in a batch of each process; the last may be smaller.
        shuffle: Whether each epoch has an order of its own.
        training: Whether all processes have equally many batches.
        share: Which of how many shares; if not said, that of this process, as
            :func:`rnnx.core.processes.rank_and_world_size`.

    Raises:
        UsageError: there are fewer examples than processes.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        shuffle: bool,
        training: bool,
        share: tuple[int, int] | None = None,
    ) -> None:
        shareable(count)
        self.count, self.batch_size, self.shuffle, self.training = count, batch_size, shuffle, training
        self.share = share
        self.seed, self.epoch = torch.initial_seed(), 0

    def set_epoch(self, epoch: int) -> None:
        """Makes the next pass that of ``epoch``; the Lightning trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        rank, ranks = self.share or rank_and_world_size()
        full, rest = divmod(self.count, self.batch_size * ranks)
        return full + (rest >= ranks if self.training else rest > rank)

    def __iter__(self) -> Iterator[Draw]:
        numbers = generator("epoch", self.seed, self.epoch)
        self.epoch += 1
        order = torch.randperm(self.count, generator=numbers) if self.shuffle else torch.arange(self.count)
        rank, ranks = self.share or rank_and_world_size()
        for positions in order.split(self.batch_size * ranks)[: len(self)]:
            seed = int(torch.randint(2**32, (), generator=numbers))
            yield Draw(positions, seed, slice(rank, None, ranks))
