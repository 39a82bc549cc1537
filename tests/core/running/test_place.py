from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from rnnx.core.batch import Batch
from rnnx.core.errors import RunError
from rnnx.core.running import randomness
from rnnx.core.running.place import Place


class Noisy(Dataset):
    """Examples that draw from every generator when they are made."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, position: int) -> tuple[int, float, float]:
        return position, torch.rand(()).item(), random.random()


class Epochs(Sampler):
    """An order that is that of the epoch it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(12, generator=torch.Generator().manual_seed(self.epoch)).tolist()

    def __len__(self) -> int:
        return 12


LOADERS = {
    "shuffled": lambda: DataLoader(Noisy(), batch_size=2, shuffle=True),
    "in worker processes": lambda: DataLoader(Noisy(), batch_size=2, shuffle=True, num_workers=2),
    "by its own sampler": lambda: DataLoader(Noisy(), batch_size=2, sampler=Epochs()),
}


def epoch(place: Place, number: int, batches: int) -> list[Any]:
    """Some batches, with a number drawn after each, as dropout would."""
    place.set_epoch(number)
    found = []
    for batch in place:
        found.append((*(column.tolist() for column in batch), torch.rand(()).item()))
        if len(found) == batches:
            break
    return found


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("taken", [0, 1, 4, 6])
def test_it_is_taken_up_in_the_middle_of_an_epoch(loader: str, taken: int) -> None:
    torch.manual_seed(3)
    random.seed(3)
    place = Place(LOADERS[loader]())
    epoch(place, 0, 6)
    place.set_epoch(1)
    batches = iter(place)
    for _ in range(taken):
        next(batches)
        torch.rand(())
    next(batches, None)  # the checkpoint is written when the next one is there
    start, now = place.start, place.before
    randomness.restore(start)
    whole, following = epoch(place, 1, 6), epoch(place, 2, 9)

    torch.manual_seed(99)
    again = Place(LOADERS[loader]())
    again.resume(1, start, taken)
    randomness.restore(now)
    assert epoch(again, 1, 6) == whole[taken:]
    assert len(following) == 6
    assert epoch(again, 2, 9) == following


def test_an_epoch_that_was_over_is_not_taken_up() -> None:
    place = Place(LOADERS["shuffled"]())
    epoch(place, 0, 6)
    again = Place(LOADERS["shuffled"]())
    again.resume(0, place.start, 6)
    found = []
    for one in (place, again):
        torch.manual_seed(5)
        random.seed(5)
        found.append(epoch(one, 1, 9))
    assert len(found[0]) == 6
    assert found[0] == found[1]


def test_it_knows_the_random_numbers_before_each_batch() -> None:
    place = Place(LOADERS["shuffled"]())
    batches = iter(place)
    next(batches)
    second = next(batches)
    randomness.restore(place.before)
    drawn = [torch.rand(()).item() for _ in range(2)]
    assert second[1].tolist() == pytest.approx(drawn)


def test_its_length_is_the_loaders() -> None:
    assert len(Place(LOADERS["shuffled"]())) == 6


def batches_of(numbers: list[float]) -> list[Batch]:
    return [Batch(torch.tensor([[number]]), *(torch.ones(1, dtype=torch.int),) * 3) for number in numbers]


def given(place: Place) -> list[float]:
    return [batch.inputs.item() for batch in place]


def known_after(taken: int) -> tuple[dict[str, Any], Any]:
    place = Place(batches_of([1, 2, 3, 4]))  # type: ignore[arg-type]
    batches = iter(place)
    for _ in range(taken):
        next(batches)
    return place.start, place.known


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_the_batches_that_were_seen_are_compared(taken: int) -> None:
    """With what was given last when the checkpoint was written: the one after those that were taken."""
    start, known = known_after(taken + 1)
    again = Place(batches_of([1, 2, 3, 4]))  # type: ignore[arg-type]
    again.resume(0, start, taken, known=known)
    assert given(again) == [1, 2, 3, 4][taken:]
    numbers: list[float] = [1, 2, 3, 4]
    numbers[taken] += 0.5
    for changed in (numbers, numbers[:taken]):
        other = Place(batches_of(changed))  # type: ignore[arg-type]
        other.resume(0, start, taken, known=known)
        with pytest.raises(RunError, match=f"batch {taken + 1} of epoch 1 is not what it was"):
            given(other)


def test_fewer_batches_than_were_seen_are_others() -> None:
    start, known = known_after(3)
    again = Place(batches_of([1, 2]))  # type: ignore[arg-type]
    again.resume(0, start, 3, known=known)
    with pytest.raises(RunError, match="batch 3 of epoch 1 is not what it was"):
        given(again)


def test_another_epoch_is_not_compared() -> None:
    start, known = known_after(4)
    again = Place(batches_of([5, 6]))  # type: ignore[arg-type]
    again.resume(0, start, 4, known=known)
    again.set_epoch(1)
    assert given(again) == [5, 6]
