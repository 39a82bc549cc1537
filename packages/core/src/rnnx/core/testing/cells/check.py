"""How checks of a cell are made: of its class, or of what each setting of its options builds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from rnnx.core.cell import Cell
from rnnx.core.testing.cells.subject import Subject, subjects
from rnnx.core.testing.check import Check, check_of, one_sentence

of_the_class = check_of(Cell)


def of_each_setting(fact: Callable[[Subject], None]) -> Check:
    """Makes a check of a function that looks at one cell: it is run for each setting of the options.

    First for the defaults, then for each value of each ``bool`` or ``Literal``, set alone; the sentence
    begins with it.
    """

    def check(cell_class: type[Cell]) -> None:
        for subject in subjects(cell_class):
            with one_sentence(cell_class, subject.setting):
                fact(subject)

    return of_the_class(wraps(fact)(check))
