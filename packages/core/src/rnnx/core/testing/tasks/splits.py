"""Checks of the batches that data gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.data import Data, Split
from rnnx.core.testing.comparison import assert_shape, require
from rnnx.core.testing.tasks.batches import runs
from rnnx.core.testing.tasks.check import of_the_data
from rnnx.core.testing.tasks.evaluation import SPLITS


@of_the_data
def check_batches_have_their_rows(data: Data) -> None:
    """Each part of a batch has a row for each example, and no length is beyond its steps."""
    for split in ("train", *SPLITS):
        for number, batch in enumerate(data.loader(split), 1):
            where = f"of batch {number} of {split}"
            rows, steps = batch.inputs.shape[:2]
            require(len(batch) == rows > 0, f"index {where} has {len(batch)} rows, the inputs have {rows}")
            _assert_lengths(batch.lengths, rows, steps, f"lengths {where}")
            require(len(batch.targets) == rows, f"targets {where} have {len(batch.targets)} rows, not {rows}")
            if batch.target_lengths is not None:
                ends = batch.target_lengths
                _assert_lengths(ends, rows, batch.targets.shape[1], f"target_lengths {where}")
            if batch.parents is not None:
                assert_shape(batch.parents, (rows, steps), f"parents {where}")
            if batch.references is not None:
                count = len(batch.references)
                require(count == rows, f"references {where} have {count} rows, not {rows}")


@of_the_data
def check_evaluation_is_of_the_same_examples_in_the_same_order(data: Data) -> None:
    """Each of valid and test comes once, with its place in the split as its ``index``."""
    for split in SPLITS:
        first, second = list(data.loader(split)), list(data.loader(split))
        _assert_each_once(first, split)
        require(_same(first, second), f"{split} is not the same when it is read again")


@of_the_data
def check_training_is_in_a_new_order_each_epoch(data: Data) -> None:
    """Each example comes once an epoch, and in another order, or is a new one.

    Text that goes on stays, and the order within an epoch of one batch is of no matter.
    """
    torch.manual_seed(0)
    loader = data.loader("train")
    first, second = list(loader), list(loader)
    for batches in (first, second):
        _assert_each_once(batches, "train")
    may_stay = len(first) == 1 or any(batch.continues for batch in first)
    require(may_stay or not _same(first, second), "train is in the same order in two epochs")


def _assert_each_once(batches: Sequence[Batch], split: Split) -> None:
    """Examples that go on from batch to batch keep their places."""
    places: Counter[int] = Counter()
    for run in runs(batches):
        places.update(run[0].index.tolist())
        for batch in run[1:]:
            stays = torch.equal(batch.index, run[0].index)
            require(stays, f"{split} has a batch that goes on with other examples: its index is another")
    for place in range(places.total()):
        require(
            places[place] == 1,
            f"example {place} of {split} comes {places[place]} times, as index counts them, expected once",
        )


def _assert_lengths(lengths: Tensor, rows: int, steps: int, what: str) -> None:
    assert_shape(lengths, (rows,), what)
    low, high = int(lengths.min()), int(lengths.max())
    require(low >= 0 and high <= steps, f"{what} are from {low} to {high}, where there are {steps} steps")


def _same(first: Sequence[Batch], second: Sequence[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(one.index, other.index)
        and one.inputs.shape == other.inputs.shape
        and torch.equal(one.inputs, other.inputs)
        for one, other in zip(first, second, strict=True)
    )
