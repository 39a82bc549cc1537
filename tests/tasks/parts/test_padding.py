"""Padding against rows filled up by hand."""

from __future__ import annotations

import torch

from rnnx.tasks.parts.padding import padded


def test_rows_are_filled_up_to_the_longest() -> None:
    values, lengths = padded([torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6])], -100)
    assert values.tolist() == [[1, 2, 3], [4, -100, -100], [5, 6, -100]]
    assert lengths.tolist() == [3, 1, 2]


def test_steps_of_features_are_filled_up_with_zeros_and_keep_their_type() -> None:
    pictures, lengths = padded((torch.ones(1, 2, dtype=torch.uint8), torch.ones(2, 2, dtype=torch.uint8)))
    assert pictures.dtype == torch.uint8
    assert pictures.tolist() == [[[1, 1], [0, 0]], [[1, 1], [1, 1]]]
    assert lengths.tolist() == [1, 2]
