"""Sequences of several lengths as one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def padded(rows: Sequence[Tensor], value: float = 0) -> tuple[Tensor, Tensor]:
    """Sequences, padded to the longest, and their lengths.

    Args:
        rows: ``N`` of them, each ``(T_n, ...)``.
        value: What fills up the shorter ones.

    Returns:
        ``(N, T, ...)``, and the lengths ``(N,)``.

    Example:
        >>> values, lengths = padded([torch.tensor([5, 3]), torch.tensor([4])], value=7)
        >>> values.tolist(), lengths.tolist()
        ([[5, 3], [4, 7]], [2, 1])
    """
    lengths = torch.tensor([len(row) for row in rows])
    return pad_sequence(list(rows), batch_first=True, padding_value=value), lengths
