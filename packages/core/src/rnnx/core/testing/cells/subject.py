"""What is checked: a cell as one setting of its options builds it, small, with data for it to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from rnnx.core import engine
from rnnx.core.cell import Cell
from rnnx.core.options import Options, options_of
from rnnx.core.state import State, detach
from rnnx.core.testing.cells.ways import ROWS, STEPS
from rnnx.core.testing.settings import settings

INPUT_SIZE = 5
HIDDEN_SIZE = 24  # divisible by many, for cells in groups
NOISE = 0.1  # added to the weights, so that one that starts at zero cannot hide an error
ROW = 2 * HIDDEN_SIZE  # weights that make one number; more have less noise each, or all would be at an end


@final
@dataclass(frozen=True)
class Subject:
    """A cell and what it reads: random numbers of 64 bits, always the same.

    Args:
        cell_class: The class of the cell.
        options: Its keyword arguments.
        setting: Those that the user would have set, as typed; empty for the defaults.
    """

    cell_class: type[Cell]
    options: Mapping[str, Any]
    setting: str = ""

    @cached_property
    def cell(self) -> Cell:
        """The cell."""
        return self.build(seed=0)

    @cached_property
    def draws(self) -> bool:
        """Whether it draws random numbers in training, so that it has to be looked at in evaluation."""
        x = self.x
        torch.manual_seed(0)
        cell = self.cell_class(INPUT_SIZE, **self.options).double()
        try:
            with torch.no_grad():
                read = [engine.loop(cell, x, None, cell.initial_state(ROWS, x)) for _ in range(2)]
            first, second = ([tensor.nan_to_num() for tensor in (y, *state)] for y, state in read)
            return not all(map(torch.equal, first, second))
        except Exception:  # which the checks tell
            return False

    def build(self, seed: int) -> Cell:
        """A cell of the same options, with weights of its own."""
        training = not self.draws
        torch.manual_seed(seed)
        cell = self.cell_class(INPUT_SIZE, **self.options).double().train(training)
        with torch.no_grad():
            for parameter in cell.parameters():
                weights = parameter.flatten(1).shape[1] if parameter.dim() > 1 else 1
                noise = NOISE * min(1.0, (ROW / max(weights, 1)) ** 0.5)
                parameter.add_(noise * torch.randn_like(parameter))
        return cell

    @property
    def x(self) -> Tensor:
        """Inputs, ``(ROWS, STEPS, INPUT_SIZE)``; a new tensor each time."""
        return _random(1, STEPS)

    @property
    def state(self) -> State:
        """One that the cell comes to, another in each row: a made-up one may be none that it can be in."""
        x, lengths = _random(2, 3), torch.tensor([3, 1, 2, 3])
        with torch.no_grad():
            return detach(engine.loop(self.cell, x, lengths, self.cell.initial_state(ROWS, x))[1])


def subjects(cell_class: type[Cell]) -> Iterator[Subject]:
    """The cell of each of its :func:`~rnnx.core.testing.settings.settings`.

    Raises:
        RunError: its constructor is none that can be a command line.
        AssertionError: an option has no default.
    """
    options = options_of(cell_class)
    label = f"cell {cell_class.__name__!r}"
    for changed, setting in settings("cell", label, options, _small(cell_class, options)):
        yield Subject(cell_class, changed, setting)


def _small(cell_class: type[Cell], options: Options) -> dict[str, int]:
    """A width that makes the checks quick, if the cell allows it."""
    small = {"hidden_size": HIDDEN_SIZE}
    if "hidden_size" not in options:
        return {}
    try:
        cell_class(INPUT_SIZE, **small)
    except Exception:
        return {}
    return small


def _random(seed: int, steps: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(ROWS, steps, INPUT_SIZE, dtype=torch.double, generator=generator)
