from __future__ import annotations

import torch

from rnnx.tasks.data.nmt.example import Example
from rnnx.tasks.data.nmt.padded import PaddedPairs


def test_a_batch_is_padded_and_counted() -> None:
    examples = [Example([5, 6, 3], [7, 3], "x"), Example([3], [8, 9, 3], "y z")]
    batch = PaddedPairs(examples, pad=9)[[1, 0]]
    assert batch.index.tolist() == [1, 0]
    assert batch.inputs.tolist() == [[3, 9, 9], [5, 6, 3]]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.targets.tolist() == [[8, 9, 3], [7, 3, 9]]
    assert batch.target_lengths is not None
    assert batch.target_lengths.tolist() == [3, 2]
    assert batch.references == (("y z",), ("x",))
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.long
    assert not batch.continues
