"""The part of a model that a program without rnnx can compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import Tensor


@final
@dataclass(frozen=True)
class Graph:
    """What of a task goes into an ONNX file: a function of padded inputs and their lengths.

    Attributes:
        compute: The function of inputs ``(N, T, ...)`` and lengths ``(N,)``, each at least 1.
        output: What its result is called.
        example: Inputs that it takes, for any ``N`` and ``T``.
        axes: What the axes of the inputs are called whose sizes may be any.
    """

    compute: Callable[[Tensor, Tensor], Tensor]
    output: str
    example: Callable[[int, int], Tensor]
    axes: tuple[str, ...] = ("batch", "time")
