"""The cores of a machine, when several processes compute on it."""

from __future__ import annotations

import os


def share_cores(processes: int) -> None:
    """Leaves this process its share of the cores.

    Args:
        processes: How many compute at once, this one included.
    """
    import torch

    torch.set_num_threads(max((os.cpu_count() or 1) // processes, 1))
