"""Checks of what a cell says of itself: its paper, its equations, its options."""

from __future__ import annotations

import inspect
import re
import sys

import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.declarations.docstrings import documentation
from rnnx.core.options import options_of
from rnnx.core.testing.cells.check import of_each_setting, of_the_class
from rnnx.core.testing.cells.subject import Subject, subjects
from rnnx.core.testing.cells.ways import FORTH, UP
from rnnx.core.testing.comparison import require

YEAR = re.compile(r"\b(1[89]|20)\d\d\b")
TORCHS = frozenset(vars(nn.Module()))  # the attributes in which torch keeps what it knows of
SOURCES = ("_g", "_v", "_orig")  # of what torch's weight_norm and spectral_norm make by hooks
EQUATIONS = re.compile(r"^ *\.\. math::\n+ +\S", re.MULTILINE)


@of_the_class
def check_paper_and_equations_are_given(cell_class: type[Cell]) -> None:
    """The first line of the module names a paper with its year; the class gives the equations."""
    first = (sys.modules[cell_class.__module__].__doc__ or "").partition("\n")[0]
    require(
        YEAR.search(first) is not None,
        f"the first line of module {cell_class.__module__} names no paper with its year: {first!r}",
    )
    require(
        EQUATIONS.search(documentation(cell_class)) is not None,
        f"the docstring of {cell_class.__name__} gives no equations; write them below '.. math::'",
    )


@of_the_class
def check_options_are_typed_and_documented(cell_class: type[Cell]) -> None:
    """The constructor takes the input's width and, by keyword alone, options with type, default and text."""
    _, *parameters = inspect.signature(cell_class.__init__).parameters.values()
    positional = [p.name for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    require(
        len(positional) == 1,
        f"the constructor's positional parameters are {', '.join(positional) or 'none'}, expected input_size "
        "alone, as options are keyword-only",
    )
    for option in options_of(cell_class).values():
        require(not option.required, f"option {option.name!r} has no default")
        require(bool(option.doc), f"option {option.name!r} has no line under 'Args:' in the docstring")


@of_each_setting
def check_tensors_and_modules_are_registered(subject: Subject) -> None:
    """Else they stay behind when the cell is moved to a GPU, are not saved, and learn nothing."""
    cell = subject.cell
    known = {id(one) for one in (*cell.parameters(), *cell.buffers(), *cell.modules())}
    for module in cell.modules():
        for name, value in vars(module).items():
            if name in TORCHS or any(f"{name}{end}" in module._parameters for end in SOURCES):
                continue
            several = value.values() if isinstance(value, dict) else value
            found = several if isinstance(value, (list, tuple, dict)) else [value]
            loose = [one for one in found if isinstance(one, (Tensor, nn.Module)) and id(one) not in known]
            remedy = "register_buffer" if any(isinstance(one, Tensor) for one in loose) else "nn.ModuleList"
            require(
                not loose,
                f"{name} holds what torch does not know of, so that it stays behind when the cell goes to a "
                f"GPU, and is not saved; use {remedy}",
            )


@of_the_class
def check_every_option_acts(cell_class: type[Cell]) -> None:
    """Each value of a ``bool`` or ``Literal`` makes another cell than the default does."""
    default, *others = subjects(cell_class)
    usual = _behaviour(default)
    for other in others:
        require(
            _behaviour(other) != usual,
            f"{other.setting} does nothing: weights and outputs, on sequences and trees, are the default's",
        )


def _behaviour(subject: Subject) -> list[object]:
    """The shapes of the weights, and what comes of sequences and of trees."""
    cell = subject.cell
    shapes = {name: tuple(weight.shape) for name, weight in cell.state_dict().items()}
    with torch.no_grad():
        results = [way.read(cell, subject.x, way.structure, subject.state) for way in (FORTH, UP)]
    return [shapes, *([tensor.tolist() for tensor in (y, *state)] for y, state in results)]
