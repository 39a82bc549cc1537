"""What every cell promises of its sizes and its step; looked at whenever a net is built of it."""

from __future__ import annotations

import copy
from inspect import getsourcefile
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, SupportsIndex

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.errors import RunError
from rnnx.core.running import randomness

ROWS: Final = 3  # of the batch that a cell is tried on; two would unpack into an output and a state


def hold_to_contract(cell: Any, name: str) -> None:
    """Tries one step of a cell, so that one that breaks its promise is told by name, not by what comes of it.

    Args:
        cell: The cell; it and the random numbers to come stay as they are.
        name: What the user calls it.

    Raises:
        RunError: it is no cell, its sizes are none, its step fails, or what the step gives has another form
            than the cell says.

    Example:
        >>> class Forgetful(Cell):
        ...     input_size, output_size, state_sizes = 3, 4, (4,)
        ...     def step(self, z, state):
        ...         return z
        >>> hold_to_contract(Forgetful(), "forgetful")
        Traceback (most recent call last):
            ...
        rnnx.core.errors.RunError: cell 'forgetful': step gives Tensor (3, 3), expected a tuple of two: the
        output and the state
    """
    problem = _problem_of_sizes(cell)
    if problem is not None:
        raise RunError(f"cell {name!r}: {problem}")
    try:
        tried = copy.deepcopy(cell)
    except Exception:  # who cannot be copied is not tried
        return
    before = randomness.capture()
    try:
        with torch.enable_grad():
            problem = _problem_of_step(tried)
    except Exception as error:
        what = f"{type(error).__name__}{line_of(type(cell), error)}: {error}"
        raise RunError(f"cell {name!r}: a step of {ROWS} rows fails: {what}") from error
    finally:
        randomness.restore(before)
    if problem is not None:
        raise RunError(f"cell {name!r}: {problem}")


def line_of(component: type, error: Exception) -> str:
    """Where an error came through a component's own file, as the end of a sentence; empty if it has no file.

    Args:
        component: A class.
        error: What was raised.
    """
    try:
        file = getsourcefile(component)
    except (TypeError, OSError):
        return ""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file]
    return f" at {Path(file).name}:{lines[-1]}" if file and lines else ""


def _problem_of_sizes(cell: Any) -> str | None:
    if not isinstance(cell, Cell):
        return f"expected a rnnx.core.cell.Cell, got {type(cell).__name__}"
    for name in ("input_size", "output_size"):
        size = getattr(cell, name, None)
        if not isinstance(size, SupportsIndex):
            return f"expected {name} to be an integer that its constructor sets, got {size!r}"
    sizes: Any = getattr(cell, "state_sizes", None)
    listed = isinstance(sizes, (tuple, list)) and len(sizes) > 0
    if not listed or not all(isinstance(size, SupportsIndex) for size in sizes):
        return f"expected state_sizes to be a tuple of the state's widths, as (128,), got {sizes!r}"
    return None


def _problem_of_step(cell: Cell) -> str | None:
    like = next((p for p in cell.parameters() if p.is_floating_point()), torch.empty(0))
    x = torch.randn(ROWS, cell.input_size, dtype=like.dtype, device=like.device)
    before = cell.initial_state(ROWS, x)
    wanted = [(ROWS, int(size)) for size in cell.state_sizes]
    if _form(before) != _form_of(wanted):
        return f"initial_state gives {_form(before)}, expected {_form_of(wanted)}"
    given = cell.step(cell.project(x), before)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return f"step gives {_form(given)}, expected a tuple of two: the output and the state"
    y, after = given
    output = f"Tensor {(ROWS, int(cell.output_size))}"
    if _form(y) != output:
        return f"the output of step is {_form(y)}, expected {output}"
    if _form(after) != _form_of(wanted):
        return f"the state of step is {_form(after)}, expected {_form_of(wanted)}"
    return None


def _form(value: Any) -> str:
    """What something is, with its shape; a list of tensors reads as well as a tuple, and counts as one."""
    if isinstance(value, Tensor):
        return f"Tensor {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a tuple of {', '.join(map(_form, value)) or 'nothing'}"
    return f"a {type(value).__name__}"


def _form_of(shapes: list[tuple[int, int]]) -> str:
    return f"a tuple of {', '.join(f'Tensor {shape}' for shape in shapes)}"
