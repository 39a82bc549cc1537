from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnx.core.nets.padding import real_steps


@given(st.lists(st.integers(0, 6), max_size=5), st.integers(0, 2))
def test_a_step_is_real_before_its_rows_length(lengths: list[int], more: int) -> None:
    rows = torch.zeros(len(lengths), 6, *[2] * more)
    found = real_steps(rows, torch.tensor(lengths, dtype=torch.long))
    assert found.tolist() == [[step < length for step in range(6)] for length in lengths]


def test_lengths_may_lie_on_another_device() -> None:
    """A batch keeps them on the CPU, or where its inputs are."""
    found = real_steps(torch.zeros(2, 3, device="meta"), torch.tensor([1, 2]))
    assert (found.device.type, found.shape, found.dtype) == ("meta", (2, 3), torch.bool)
