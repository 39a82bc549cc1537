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


def accelerators() -> list[str]:
    """The accelerators that this machine has, by Lightning's names; ``gpu`` is CUDA's or Apple's.

    Example:
        >>> "cpu" in accelerators()
        True
    """
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator, XLAAccelerator

    cuda, apple = CUDAAccelerator.is_available(), MPSAccelerator.is_available()
    there = {"cpu": True, "gpu": cuda or apple, "cuda": cuda, "tpu": XLAAccelerator.is_available()}
    return [name for name, is_there in there.items() if is_there]
