from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from rnnx.cells.gru import GRU
from rnnx.core.engine import scan
from rnnx.core.unrolling.arguments import checked_lengths


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x: (x.tolist(),), "x must be a padded tensor, with its lengths beside it, got a list"),
        (
            lambda x: (nn.utils.rnn.pack_sequence([x[0]]),),
            "got a PackedSequence; call with *torch.nn.utils.rnn.pad_packed_sequence(x, batch_first=True)",
        ),
        (
            lambda x: (x, [4, 3]),
            "whole numbers, or None, got a list of a int, a int; a state is the argument after them",
        ),
        (
            lambda x: (x, (x[:, 0],)),
            "whole numbers, or None, got a tuple of a tensor of torch.float32; a state is the argument after",
        ),
        (lambda x: (x, torch.tensor([2.0, 2.5])), "whole numbers, or None, got a tensor of torch.float32"),
        (lambda x: (x, None, x[:, 0]), "the state must be a tuple of tensors, as (h,), got a tensor of"),
        (
            lambda x: (x, None, (1.0,)),
            "the state must be a tuple of tensors, as (h,), got a tuple of a float",
        ),
        (lambda x: (x, None, ((x[:, 0],),)), "got a tuple of a tuple of a tensor of torch.float32"),
        (
            lambda x: (x, None, (h for h in x)),
            "the state must be a tuple of tensors, as (h,), got a generator",
        ),
    ],
)
def test_what_is_no_tensor_or_no_tuple_is_told(given: Callable[..., Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        scan(GRU(3, hidden_size=4), *given(torch.randn(2, 4, 3)))


def test_what_is_told_of_packed_rows_reads_them() -> None:
    cell, x, lengths = GRU(3, hidden_size=4), torch.randn(2, 4, 3), torch.tensor([2, 4])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, (h,) = scan(cell, *nn.utils.rnn.pad_packed_sequence(packed, batch_first=True))
    twin = nn.GRU(3, 4, batch_first=True)
    twin.load_state_dict({f"{name}_l0": weight for name, weight in cell.state_dict().items()})
    theirs, last = twin(packed)
    torch.testing.assert_close(y, nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True)[0])
    torch.testing.assert_close(h, last[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_lengths_of_any_whole_numbers_are_compared_with_any_number_of_steps(dtype: torch.dtype) -> None:
    found = checked_lengths(2, 300, torch.tensor([100, 2], dtype=dtype))
    assert found is not None
    assert (found.dtype, found.tolist()) == (torch.int64, [100, 2])
    with pytest.raises(ValueError, match=re.escape("lengths must be from 0 to 99, got [100, 2]")):
        checked_lengths(2, 99, torch.tensor([100, 2], dtype=dtype))
