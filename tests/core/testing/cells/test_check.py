from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from rnnx.core.cell import Cell
from rnnx.core.testing.cells.check import of_each_setting, of_the_class
from rnnx.core.testing.cells.subject import Subject
from rnnx.core.testing.comparison import require


def test_the_line_of_the_cells_own_file_is_told(right: type[Cell]) -> None:
    def check_it(subject: Subject) -> None:
        subject.cell.step(torch.zeros(1, 3, dtype=torch.double), subject.state)

    lines, first = inspect.getsourcelines(right.step)
    line = first + next(number for number, text in enumerate(lines) if "self.past(h)" in text)
    with pytest.raises(AssertionError, match=f"^RuntimeError at conftest.py:{line}: The size of tensor"):
        of_each_setting(check_it)(right)


def test_each_setting_is_looked_at_and_the_one_that_is_wrong_is_named(right: type[Cell]) -> None:
    seen = []

    def check_it(subject: Subject) -> None:
        seen.append(subject.setting)
        require(subject.options["activation"] == "tanh", "it is wrong")

    with pytest.raises(AssertionError, match=r"^with cell.activation=sigmoid: it is wrong$"):
        of_each_setting(check_it)(right)
    assert seen == ["", "cell.gated=true", "cell.activation=sigmoid"]


def test_a_check_keeps_its_name_and_its_docstring() -> None:
    def check_it(subject: Subject) -> None:
        """A fact."""

    check = of_each_setting(check_it)
    assert (check.__name__, check.__doc__) == ("check_it", "A fact.")


@pytest.mark.parametrize("thing", [torch.nn.GRUCell, torch.relu, 3])
def test_what_is_no_cell_is_told_so(thing: Any) -> None:
    def check_it(subject: Any) -> None: ...

    for check in (of_each_setting(check_it), of_the_class(check_it)):
        with pytest.raises(AssertionError, match=r"is no subclass of rnnx.core.cell.Cell$"):
            check(thing)
