from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import pytest
import torch
from torch import Tensor

from rnnx.core.batch import Batch
from rnnx.core.data import Meta, Split
from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.memory.draws import whole
from rnnx.tasks.data.memory.generated import Generated


@final
@dataclass(kw_only=True, eq=False)
class Dice(Generated):
    """Numbers from 0 to 1."""

    @property
    def meta(self) -> Meta:
        return {}

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        numbers = torch.rand(count, 1, generator=generator)
        return whole(numbers, numbers)


def examples(batches: Iterable[Batch]) -> Tensor:
    return torch.cat([batch.inputs for batch in batches]).flatten()


def drawn(split: Split, run: int = 1, **options: int) -> Tensor:
    """The examples of a split in the first epoch of a run with that seed."""
    torch.manual_seed(run)
    data = Dice(**({"train": 30, "valid": 20, "test": 25, "batch_size": 8} | options))
    data.prepare()
    return examples(data.loader(split))


def test_the_sizes_are_those_asked_for() -> None:
    data = Dice(train=30, valid=20, test=25, batch_size=8)
    data.prepare()
    sizes = {split: [len(batch) for batch in data.loader(split)] for split in ("train", "valid", "test")}
    assert sizes == {"train": [8, 8, 8, 6], "valid": [8, 8, 4], "test": [8, 8, 8, 1]}
    for split, count in (("train", 30), ("valid", 20), ("test", 25)):
        index = torch.cat([batch.index for batch in data.loader(split)])
        assert index.tolist() == list(range(count))


def test_training_examples_are_new_in_every_epoch_and_follow_from_the_seed_of_the_run() -> None:
    torch.manual_seed(3)
    loader = Dice(train=30).loader("train")
    first, second = examples(loader), examples(loader)
    assert len(torch.cat((first, second)).unique()) == 60
    assert torch.equal(drawn("train", run=3, batch_size=50), first)
    assert not torch.isin(drawn("train", run=4), first).any()


def test_training_does_not_depend_on_what_else_is_drawn() -> None:
    """A net's dropout, say; nor on the epochs before, so that a run can be resumed."""
    torch.manual_seed(3)
    one = Dice(train=30).loader("train")
    _, second = examples(one), examples(one)
    torch.manual_seed(3)
    other = Dice(train=30).loader("train")
    torch.rand(5)
    other.sampler.set_epoch(1)  # type: ignore[attr-defined]
    assert torch.equal(examples(other), second)


def test_training_does_not_depend_on_the_seed_of_the_data() -> None:
    assert torch.equal(drawn("train", seed=1), drawn("train", seed=2))


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_other_splits_are_the_same_in_every_run(split: Split) -> None:
    one = drawn(split, run=1)
    assert torch.equal(drawn(split, run=2), one)
    assert torch.equal(drawn(split, batch_size=3), one)
    assert torch.equal(drawn(split, train=5), one)
    assert not torch.isin(drawn(split, seed=2), one).any()
    data = Dice(valid=20, test=25)
    assert torch.equal(examples(data.loader(split)), examples(data.loader(split)))


def test_no_split_has_an_example_of_another() -> None:
    """Also where the run's seed is the data's, and where a batch is as large as a split."""
    sizes = {"train": 20, "valid": 20, "test": 20, "batch_size": 20}
    splits = [drawn(split, **sizes) for split in ("train", "valid", "test")]
    assert len(torch.cat(splits).unique()) == 60


def test_nothing_is_drawn_before_it_is_asked_for() -> None:
    data = Dice()
    assert not vars(data).keys() - {"train", "valid", "test", "batch_size", "seed"}


def test_what_cannot_be_is_refused() -> None:
    words = ["task=memory", "data=adding", "data.train=0", "data.batch_size=0", "data.seed=-1"]
    with pytest.raises(UsageError) as caught:
        resolve(words)
    assert caught.value.problems == (
        "data.train: expected an integer of at least 1, got 0",
        "data.batch_size: expected an integer of at least 1, got 0",
        "data.seed: expected an integer from 0 to 4294967295, got -1",
    )
