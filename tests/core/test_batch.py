from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from lightning.fabric.utilities import move_data_to_device

from rnnx.core.batch import Batch
from rnnx.core.trees import Trees

BATCH = Batch(
    inputs=torch.zeros(3, 5),
    lengths=torch.tensor([5, 4, 1]),
    targets=torch.zeros(3, 7),
    index=torch.tensor([8, 2, 5]),
    target_lengths=torch.tensor([7, 1, 1]),
    parents=torch.full((3, 5), -2),
    continues=True,
    references=(("a",), ("b", "c"), ("d",)),
)
TENSORS = ["inputs", "lengths", "targets", "index", "target_lengths", "parents"]


def test_its_length_is_the_number_of_examples() -> None:
    assert len(BATCH) == 3


@pytest.mark.parametrize("move", [Batch.to, move_data_to_device], ids=["itself", "lightning"])
def test_every_tensor_moves_and_nothing_else(move: object) -> None:
    moved = move(BATCH, torch.device("meta"))  # type: ignore[operator]
    assert [field.name for field in fields(Batch) if torch.is_tensor(getattr(moved, field.name))] == TENSORS
    assert all(getattr(moved, name).is_meta for name in TENSORS)
    assert (moved.continues, moved.references) == (True, BATCH.references)
    assert not BATCH.inputs.is_meta


def test_some_of_the_examples_are_a_batch_with_all_that_is_theirs() -> None:
    numbers = torch.arange(3)
    batch = replace(BATCH, inputs=numbers[:, None] + torch.zeros(3, 5), targets=numbers)
    some = batch.select([2, 0])
    assert (some.inputs[:, 0].tolist(), some.targets.tolist()) == ([2, 0], [2, 0])
    assert (some.lengths.tolist(), some.index.tolist()) == ([1, 5], [5, 8])
    assert some.target_lengths is not None
    assert some.target_lengths.tolist() == [1, 7]
    assert (some.references, some.continues, some.trees) == ((("d",), ("a",)), True, None)
    assert len(batch) == 3


def test_the_trees_of_some_of_the_examples_are_theirs() -> None:
    parents = torch.tensor([[2, 2, -1], [1, -1, -2]])
    batch = replace(BATCH.select([0, 1]), parents=parents, trees=Trees.of(parents))
    trees = batch.select([1]).trees
    assert trees is not None
    assert (trees.shape, trees.nodes.tolist(), trees.roots.tolist()) == ((1, 3), [0, 1], [0])


def test_what_is_absent_stays_absent() -> None:
    batch = Batch(*(getattr(BATCH, name) for name in ("inputs", "lengths", "targets", "index"))).to("meta")
    assert (batch.target_lengths, batch.parents, batch.continues, batch.references) == (
        None,
        None,
        False,
        None,
    )


@pytest.mark.parametrize("name", TENSORS)
def test_one_number_makes_another_checksum(name: str) -> None:
    other = replace(BATCH, **{name: getattr(BATCH, name).clone()})
    assert other.checksum() == BATCH.checksum()
    getattr(other, name).view(-1)[-1] += 1
    assert other.checksum() != BATCH.checksum()
