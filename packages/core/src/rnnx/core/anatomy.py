"""What can be measured of a cell without training it: its state, its size, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch

from rnnx.core.cell import Cell
from rnnx.core.options import options_of


@final
@dataclass(frozen=True)
class Anatomy:
    """What a cell is made of.

    Attributes:
        states: Width of each tensor of the state.
        parameters: How many numbers are trained.
        fused: Whether it has a way of its own to read whole sequences, which it takes where that is faster.
        composes: Whether a tree's node is made of its children by equations of the cell's own; else it is a
            step from the sum of their states, which every cell can do.
    """

    states: tuple[int, ...]
    parameters: int
    fused: bool
    composes: bool


def dissect(cell_class: type[Cell], input_size: int, hidden_size: int) -> Anatomy:
    """Builds a cell and measures it; the random numbers of the program are left as they were.

    Args:
        cell_class: The class of the cell.
        input_size: Width of the input.
        hidden_size: Its option of this name, if it has one; the others have their defaults.

    Raises:
        RunError: its constructor is none that can be a command line.
        Exception: whatever the cell itself raises.

    Example:
        >>> class Leaky(Cell):
        ...     def __init__(self, input_size: int, *, hidden_size: int = 8) -> None:
        ...         super().__init__()
        ...         self.input_size = input_size
        ...         self.output_size, self.state_sizes = hidden_size, (hidden_size,)
        ...         self.weight = torch.nn.Linear(input_size, hidden_size)
        ...
        ...     def step(self, z, state):
        ...         h = 0.5 * state[0] + self.weight(z)
        ...         return h, (h,)
        >>> dissect(Leaky, input_size=3, hidden_size=4)
        Anatomy(states=(4,), parameters=16, fused=False, composes=False)
    """
    width = {"hidden_size": hidden_size} if "hidden_size" in options_of(cell_class) else {}
    with torch.random.fork_rng(devices=[]):
        cell = cell_class(input_size, **width)
    return Anatomy(
        tuple(cell.state_sizes),
        sum(parameter.numel() for parameter in cell.parameters()),
        cell_class.unroll is not Cell.unroll,
        cell_class.fold is not Cell.fold,
    )
