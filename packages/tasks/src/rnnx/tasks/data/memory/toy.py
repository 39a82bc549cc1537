"""A short adding problem, which a gated cell solves in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

import torch
from annotated_types import Ge

from rnnx.core.batch import Batch
from rnnx.core.bounds import Positive
from rnnx.core.data import Meta
from rnnx.tasks.data.memory.adding import META, sums
from rnnx.tasks.data.memory.generated import Generated


@final
@dataclass(kw_only=True, eq=False)
class Toy(Generated):
    """The adding problem (see ``data=adding``) over 20 steps.

    Args:
        length: Steps of a sequence.
        train: Training examples in an epoch.
        valid: Validation examples.
        test: Test examples.
    """

    length: Annotated[int, Ge(2)] = 20
    train: Positive = 3000
    valid: Positive = 500
    test: Positive = 500

    @property
    def meta(self) -> Meta:
        """Two features a step, and one number as the answer."""
        return dict(META)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        return sums(self.length, count, generator)
