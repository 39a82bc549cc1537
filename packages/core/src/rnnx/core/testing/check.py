"""What a check is: a function of a cell's class that says in one sentence what is wrong with it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import getsourcefile
from pathlib import Path
from typing import TypeAlias

import torch

from rnnx.core.cell import Cell
from rnnx.core.errors import RnnxError
from rnnx.core.testing.comparison import require
from rnnx.core.testing.subject import Subject, subjects

Check: TypeAlias = Callable[[type[Cell]], None]


def of_the_class(fact: Check) -> Check:
    """Makes a check of a function that looks at the class itself.

    Whatever it raises becomes an ``AssertionError`` of one sentence, and the random numbers of the program
    are left as they were.
    """

    @wraps(fact)
    def check(cell_class: type[Cell]) -> None:
        with torch.random.fork_rng(devices=[]), _one_sentence(cell_class):
            kin = isinstance(cell_class, type) and issubclass(cell_class, Cell)
            require(kin, f"{cell_class!r} is no subclass of {Cell.__module__}.{Cell.__qualname__}")
            fact(cell_class)

    return check


def of_each_setting(fact: Callable[[Subject], None]) -> Check:
    """Makes a check of a function that looks at one cell: it is run for each setting of the options.

    First for the defaults, then for each value of each ``bool`` or ``Literal``, set alone; the sentence
    begins with it.
    """

    def check(cell_class: type[Cell]) -> None:
        for subject in subjects(cell_class):
            with _one_sentence(cell_class, subject.setting):
                fact(subject)

    return of_the_class(wraps(fact)(check))


@contextmanager
def _one_sentence(cell_class: type[Cell], setting: str = "") -> Iterator[None]:
    where = f"with {setting}: " if setting else ""
    try:
        yield
    except (AssertionError, RnnxError) as error:
        raise AssertionError(where + " ".join(str(error).split())) from error
    except Exception as error:
        said = " ".join(str(error).split())
        raise AssertionError(f"{where}{type(error).__name__}{_line(cell_class, error)}: {said}") from error


def _line(cell_class: type[Cell], error: Exception) -> str:
    """The last line of the cell's own file on the way to an error, if it has a file."""
    try:
        file = getsourcefile(cell_class)
    except (TypeError, OSError):
        return ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" at {Path(file).name}:{lines[-1]}" if file and lines else ""
