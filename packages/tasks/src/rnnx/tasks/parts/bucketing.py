"""Batches of examples of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, TypeVar, final

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnx.core.batch import Batch
from rnnx.core.processes import rank_and_world_size, shareable

POOL = 50  # batches sorted together: little padding, and batches that still differ from epoch to epoch

Row = TypeVar("Row", bound=Sized)
Answer = TypeVar("Answer")


def in_order(
    rows: Sequence[Row],
    batch_size: int,
    answer: Callable[[list[Row]], Sequence[Answer]],
    length: Callable[[Row], int] = len,
) -> list[Answer]:
    """Answers rows in batches of like length, and gives the answers in the order of the rows.

    Args:
        rows: What is answered.
        batch_size: Rows in a batch; the last may be smaller.
        answer: Answers a batch, row by row.
        length: The length of a row.

    Example:
        >>> def shout(batch):
        ...     print(batch)
        ...     return [row.upper() for row in batch]
        >>> in_order(["four", "a", "six"], 2, shout)
        ['a', 'six']
        ['four']
        ['FOUR', 'A', 'SIX']
    """
    places = sorted(range(len(rows)), key=lambda place: length(rows[place]))
    answers: dict[int, Answer] = {}
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        answers.update(zip(batch, answer([rows[place] for place in batch]), strict=True))
    return [answers[place] for place in range(len(rows))]


def bucketed(
    batches: Dataset[Batch], lengths: Sequence[Any], batch_size: int, shuffle: bool, workers: int = 0
) -> DataLoader[Batch]:
    """A loader of batches of examples of like length.

    Args:
        batches: Gives the batch of a list of positions.
        lengths: The sort key of each example: its length, or the lengths of its sides.
        batch_size: Examples in a batch of each process; the last may be smaller.
        shuffle: Whether each epoch has an order of its own.
        workers: Processes that make batches beside this one.

    Example:
        >>> from torch.nn.utils.rnn import pad_sequence
        >>> class Rows(Dataset):
        ...     rows = [torch.tensor(row) for row in ([7, 8, 9], [5], [6, 4])]
        ...     def __getitem__(self, positions):
        ...         return pad_sequence([self.rows[n] for n in positions], batch_first=True)
        >>> lengths = [len(row) for row in Rows.rows]
        >>> [rows.tolist() for rows in bucketed(Rows(), lengths, batch_size=2, shuffle=False)]
        [[[5, 0], [6, 4]], [[7, 8, 9]]]
    """
    return DataLoader(
        batches,
        sampler=LengthBuckets(lengths, batch_size, shuffle),
        batch_size=None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )


@final
class LengthBuckets(Sampler[list[int]]):
    """The positions of each batch: examples of like length together, each once an epoch.

    Shuffled, an epoch is a permutation of the examples, sorted by length within pools of 50 batches, its
    batches permuted. Epoch ``e`` depends on torch's seed (read when this is made) and ``e`` alone, so a
    resumed run sees what it would have seen, after as many batches as were taken.

    Of several processes each takes its share of every batch, and the batch is as many times as large: two
    processes with batches of 8 read what one reads with batches of 16. Unshuffled, where an example more or
    less would change a score, each is read once by one of them; shuffled, all have equally many batches, and
    up to one example less than there are processes is left out of an epoch.

    Args:
        lengths: The sort key of each example.
        batch_size: Examples in a batch of each process; the last may be smaller.
        shuffle: Whether each epoch has an order of its own; otherwise all are sorted by length.
        share: Which of how many shares; if not said, that of this process, as
            :func:`rnnx.core.processes.rank_and_world_size`.

    Raises:
        UsageError: there are fewer examples than processes.

    Example:
        >>> [list(LengthBuckets([5, 1, 4, 2, 3], 2, shuffle=False, share=(rank, 2))) for rank in (0, 1)]
        [[[1, 4], [0]], [[3, 2]]]
    """

    def __init__(
        self,
        lengths: Sequence[Any],
        batch_size: int,
        shuffle: bool,
        share: tuple[int, int] | None = None,
    ) -> None:
        shareable(len(lengths))
        self.lengths, self.batch_size, self.shuffle, self.share = lengths, batch_size, shuffle, share
        self.seed, self.epoch = torch.initial_seed(), 0

    def set_epoch(self, epoch: int) -> None:
        """Makes the next pass that of ``epoch``; the Lightning trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        rank, ranks = self._share()
        full, rest = divmod(len(self.lengths), self.batch_size * ranks)
        return full + (rest >= ranks if self.shuffle else rest > rank)

    def __iter__(self) -> Iterator[list[int]]:
        rank, ranks = self._share()
        everything = range(len(self.lengths))
        batches = self._shuffled(ranks) if self.shuffle else self._batches(everything, ranks)
        for batch in batches:
            has_a_share_each = len(batch) >= ranks
            if has_a_share_each or (len(batch) > rank and not self.shuffle):
                yield batch[rank::ranks]

    def _share(self) -> tuple[int, int]:
        return self.share or rank_and_world_size()

    def _shuffled(self, ranks: int) -> Iterator[list[int]]:
        """An epoch's batches, of all processes together."""
        generator = torch.Generator().manual_seed((self.seed + self.epoch) % 2**63)
        self.epoch += 1
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        pool = POOL * self.batch_size * ranks
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        batches = [batch for positions in pools for batch in self._batches(positions, ranks)]
        return (batches[position] for position in torch.randperm(len(batches), generator=generator).tolist())

    def _batches(self, positions: Sequence[int], ranks: int) -> Iterator[list[int]]:
        size = self.batch_size * ranks
        positions = sorted(positions, key=self.lengths.__getitem__)
        return (positions[start : start + size] for start in range(0, len(positions), size))
