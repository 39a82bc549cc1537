"""What every cell promises of its sizes and its step; looked at whenever a net is built of it."""

from __future__ import annotations

from inspect import getsourcefile
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.errors import RunError

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
    cause: Exception | None = None
    if problem is None:
        training = cell.training
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            cell.eval()
            try:
                problem = _problem_of_step(cell)
            except Exception as error:
                line = line_of(type(cell), error)
                problem, cause = f"a step of {ROWS} rows fails: {type(error).__name__}{line}: {error}", error
            finally:
                cell.train(training)
    if problem is not None:
        raise RunError(f"cell {name!r}: {problem}") from cause


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
        size = vars(cell).get(name, getattr(type(cell), name, None))
        if type(size) is not int:
            return f"expected {name} to be an integer that its constructor sets, got {size!r}"
    sizes = vars(cell).get("state_sizes", getattr(type(cell), "state_sizes", None))
    if type(sizes) is not tuple or not sizes or not all(type(size) is int for size in sizes):
        return f"expected state_sizes to be a tuple of the state's widths, as (128,), got {sizes!r}"
    return None


def _problem_of_step(cell: Cell) -> str | None:
    like = next((p for p in cell.parameters() if p.is_floating_point()), torch.empty(0))
    x = torch.randn(ROWS, cell.input_size, dtype=like.dtype, device=like.device)
    before = cell.initial_state(ROWS, x)
    wanted = [(ROWS, size) for size in cell.state_sizes]
    if _form(before) != _form_of(wanted):
        return f"initial_state gives {_form(before)}, expected {_form_of(wanted)}"
    given = cell.step(cell.project(x), before)
    if type(given) is not tuple or len(given) != 2:
        return f"step gives {_form(given)}, expected a tuple of two: the output and the state"
    y, after = given
    if _form(y) != f"Tensor ({ROWS}, {cell.output_size})":
        return f"the output of step is {_form(y)}, expected Tensor ({ROWS}, {cell.output_size})"
    if _form(after) != _form_of(wanted):
        return f"the state of step is {_form(after)}, expected {_form_of(wanted)}"
    return None


def _form(value: Any) -> str:
    """What something is, its shape if it has one: what a step should give, and what it may give instead."""
    if isinstance(value, Tensor):
        return f"Tensor {tuple(value.shape)}"
    if type(value) is tuple:
        return f"a tuple of {', '.join(map(_form, value)) or 'nothing'}"
    return f"a {type(value).__name__}"


def _form_of(shapes: list[tuple[int, int]]) -> str:
    return f"a tuple of {', '.join(f'Tensor {shape}' for shape in shapes)}"
