"""Frames of a video as torch reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_tensor(frames: NDArray[Any]) -> Tensor:
    """A copy of frames ``(T, ...)``: pictures of bytes as they are, features in torch's own type.

    Args:
        frames: They may be in a file, of any floating-point type and any order of bytes.

    Example:
        >>> to_tensor(np.array([[0.5, 1.0]], dtype=">f2"))
        tensor([[0.5000, 1.0000]])
        >>> to_tensor(np.zeros((1, 1, 2, 2), np.uint8)).dtype
        torch.uint8
    """
    if frames.dtype == np.uint8:
        return torch.from_numpy(frames.copy())
    return torch.from_numpy(np.array(frames, np.float64)).to(torch.get_default_dtype())
