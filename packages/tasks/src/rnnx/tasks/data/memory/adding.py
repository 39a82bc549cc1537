"""The adding problem of Hochreiter & Schmidhuber 1997, in the form of Arjovsky, Shah & Bengio 2016."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, final

import torch
from annotated_types import Ge

from rnnx.core.batch import Batch
from rnnx.core.data import Meta
from rnnx.tasks.data.memory.draws import whole
from rnnx.tasks.data.memory.generated import Generated

META: Final[Meta] = {"kind": "numbers", "features": 2, "answers": 1}


@final
@dataclass(kw_only=True, eq=False)
class Adding(Generated):
    """A number each step, uniform from 0 to 1; two of them are marked, and their sum is asked for at the end.

    One mark is in the first half of the steps and one in the second. Who always answers 1, the mean, is wrong
    by 1/6 = 0.167 in the mean square (the variance of the sum of two such numbers): to do better the first
    marked number has to be remembered for half of the steps on average.

    Args:
        length: Steps of a sequence.
    """

    length: Annotated[int, Ge(2)] = 200

    @property
    def meta(self) -> Meta:
        """Two features a step, and one number as the answer."""
        return dict(META)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        return sums(self.length, count, generator)


def sums(length: int, count: int, generator: torch.Generator) -> Batch:
    """Draws examples of the adding problem.

    Args:
        length: ``T``, at least 2.
        count: ``N``.
        generator: The random numbers to use.

    Returns:
        Inputs ``(N, T, 2)``, a value and its mark (0 or 1); targets ``(N, 1)``.

    Example:
        >>> batch = sums(7, 2, torch.Generator().manual_seed(0))
        >>> batch.inputs[..., 1].tolist()
        [[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]]
    """
    values = torch.rand(count, length, generator=generator)
    first = torch.randint(length // 2, (count, 1), generator=generator)
    second = torch.randint(length // 2, length, (count, 1), generator=generator)
    marks = torch.zeros_like(values).scatter_(1, torch.cat((first, second), 1), 1)
    return whole(torch.stack((values, marks), -1), (values * marks).sum(1, keepdim=True))
