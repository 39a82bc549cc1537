from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from lightning.fabric.utilities import move_data_to_device

from rnnx.core.batch import Batch

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


def test_what_is_absent_stays_absent() -> None:
    batch = Batch(*(getattr(BATCH, name) for name in ("inputs", "lengths", "targets", "index"))).to("meta")
    assert (batch.target_lengths, batch.parents, batch.continues, batch.references) == (
        None,
        None,
        False,
        None,
    )
