"""Where the generators of random numbers stand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def capture() -> dict[str, Any]:
    """The states of torch's, NumPy's and Python's own generators, as tensors and plain data.

    Of torch's those of the CPU and of the GPU that this process computes on, whatever number it has.

    Example:
        >>> before = capture()
        >>> first = torch.rand(3), random.random(), np.random.rand()
        >>> restore(before)
        >>> bool((torch.rand(3) == first[0]).all()), (random.random(), np.random.rand()) == first[1:]
        (True, True)
    """
    _, keys, *numpy_rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), *numpy_rest],
        "python": random.getstate(),
    }


def restore(states: dict[str, Any]) -> None:
    """Puts the generators where they stood when :func:`capture` gave these states."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"])
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    random.setstate(states["python"])
