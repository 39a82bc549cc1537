"""On what a run computes, where nobody says it."""

from __future__ import annotations


def accelerator(said: str) -> str:
    """The accelerator that is meant: of ``auto``, a GPU of CUDA's where there is one, and else the CPU.

    Lightning's own ``auto`` would take Apple's too, which has no 64-bit numbers, and scores are sums of such.

    Args:
        said: As Lightning knows it, or ``auto``.

    Example:
        >>> accelerator("cpu")
        'cpu'
    """
    import torch

    if said != "auto":
        return said
    return "cuda" if torch.cuda.is_available() else "cpu"
