"""The cores and the GPUs of a machine, when several processes compute on it."""

from __future__ import annotations

import os
import sys


def share_cores(processes: int) -> None:
    """Leaves this process its share of the cores that it may use, if it has no fewer threads already.

    So ``OMP_NUM_THREADS`` stands where it is less.

    Args:
        processes: How many compute at once, this one included.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    torch.set_num_threads(max(min(torch.get_num_threads(), cores // processes), 1))


def take_gpu(number: int) -> None:
    """Leaves this process one of the GPUs it may see, in turn, before it has computed on any.

    Args:
        number: Of this process, from 0.
    """
    import torch

    count = torch.cuda.device_count()
    if count > 1:
        seen = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[number % count]
