from __future__ import annotations

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.tasks.data.nmt.toy import Toy


def test_as_many_pairs_as_asked_for_and_no_source_twice() -> None:
    data = Toy(train=300, valid=20, test=30)
    pairs = data.pairs()
    assert {split: len(examples) for split, examples in pairs.items()} == {
        "train": 300,
        "valid": 20,
        "test": 30,
    }
    assert len({source for examples in pairs.values() for source, _ in examples}) == 350
    assert data.meta["examples"] == {"train": 300, "valid": 20, "test": 30}
    assert data.meta["left_out"] == 0
    assert data.languages == ("es", "en")


def test_the_seed_makes_the_sentences() -> None:
    one = Toy(train=100, valid=5, test=5, seed=1).pairs()
    assert Toy(train=100, valid=5, test=5, seed=1).pairs() == one
    assert Toy(train=100, valid=5, test=5, seed=2).pairs() != one


def test_wrong_sizes_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(["task=nmt", "data=toy", "data.train=0", "data.test=-1"])
    assert caught.value.problems == (
        "data.train: expected an integer of at least 1, got 0",
        "data.test: expected an integer of at least 1, got -1",
    )
