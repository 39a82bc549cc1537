"""Which steps of padded rows are real."""

from __future__ import annotations

import torch
from torch import Tensor


def real_steps(rows: Tensor, lengths: Tensor) -> Tensor:
    """Which steps are no padding.

    Args:
        rows: ``(N, T, ...)``.
        lengths: ``(N,)``, the real steps of each, on any device.

    Returns:
        ``(N, T)``, true where a step is real, on the device of the rows.

    Example:
        >>> real_steps(torch.zeros(2, 3, 7), torch.tensor([3, 1])).tolist()
        [[True, True, True], [True, False, False]]
    """
    steps = torch.arange(rows.shape[1], device=rows.device)
    return steps < lengths.to(rows.device).unsqueeze(1)
