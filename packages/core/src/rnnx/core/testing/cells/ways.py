"""The ways to read a batch: sequences forth and back, and trees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core import engine
from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.results import Result

ROWS, STEPS = 4, 5


@dataclass(frozen=True)
class Way(ABC):
    """A way to read a batch.

    Args:
        how: How a sentence says it, with a space before it; may be empty.
    """

    how: str
    place: ClassVar[str]  # what an output belongs to

    @property
    @abstractmethod
    def structure(self) -> Tensor:
        """The lengths of the rows or the parents of their nodes, ``(ROWS, ...)``."""

    @abstractmethod
    def read(self, cell: Cell, x: Tensor, structure: Tensor, state: State) -> Result:
        """Reads ``x``, ``(N, T, input_size)``, of a structure ``(N, ...)``; trees take no state."""

    @abstractmethod
    def padded(self, steps: int) -> tuple[Tensor, Tensor]:
        """The structure with some steps of padding added, and where padding is, ``(ROWS, STEPS + steps)``."""


@final
@dataclass(frozen=True)
class Sequences(Way):
    """As sequences.

    Args:
        lengths: Of the rows.
        reverse: Whether from their ends.
    """

    lengths: Sequence[int] = (5, 2, 4, 1)
    reverse: bool = False
    place = "step"

    @property
    def structure(self) -> Tensor:
        return torch.tensor(self.lengths)

    def read(self, cell: Cell, x: Tensor, structure: Tensor, state: State) -> Result:
        return engine.scan(cell, x, structure, state, self.reverse)

    def padded(self, steps: int) -> tuple[Tensor, Tensor]:
        return self.structure, torch.arange(STEPS + steps) >= self.structure.unsqueeze(1)


@final
@dataclass(frozen=True)
class Trees(Way):
    """As trees whose nodes have one child, two, or none; their root is first, last or between.

    Args:
        parents: Of the nodes of each row; -1 at the root, -2 on padding.
    """

    parents: Sequence[Sequence[int]] = (
        (2, 2, 4, 4, -1),
        (-1, 0, -2, -2, -2),
        (1, -1, 1, 2, -2),
        (-1, -2, -2, -2, -2),
    )
    place = "node"

    @property
    def structure(self) -> Tensor:
        return torch.tensor(self.parents)

    def read(self, cell: Cell, x: Tensor, structure: Tensor, state: State) -> Result:
        return engine.fold(cell, x, structure)

    def padded(self, steps: int) -> tuple[Tensor, Tensor]:
        structure = F.pad(self.structure, (0, steps), value=-2)
        return structure, structure == -2


EQUAL, FORTH = Sequences(" at equal lengths", (STEPS,) * ROWS), Sequences("")
BACK, UP = Sequences(" read backwards", reverse=True), Trees(" of a tree")
