"""All checks, and how they are run: on a class, or by pytest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import torch

from rnnx.core.cell import Cell
from rnnx.core.data import Data
from rnnx.core.engine import scan
from rnnx.core.nets.recurrent_dropout import has_candidate
from rnnx.core.registry import Plugin, find
from rnnx.core.spec import Spec
from rnnx.core.task import Task
from rnnx.core.testing import cells, tasks
from rnnx.core.testing.cells.subject import subjects
from rnnx.core.testing.check import Check
from rnnx.core.unrolling.making import NoKernelWarning
from rnnx.core.unrolling.plans import StepByStepWarning

CHECKS: Final[dict[str, tuple[Check, ...]]] = {
    "cell": cells.CHECKS,
    "task": tasks.CHECKS,
    "data": tasks.DATA,
}


def checks(kind: str = "cell") -> list[Check]:
    """The checks of a kind of component; each raises ``AssertionError`` where its fact is none.

    Args:
        kind: ``cell``, for ``check_<fact>(cell_class)``; ``task``, for ``check_<fact>(task_class, data)``; or
            ``data``, for those of a task that are about its data.

    Example:
        >>> check_padding = checks()[15]
        >>> name_of(check_padding)
        'padding changes nothing'
    """
    return list(CHECKS[kind])


def name_of(check: Check) -> str:
    """The fact that a check is about, in words."""
    return check.__name__.removeprefix("check_").replace("_", " ")


def problem(check: Check, *subject: Any) -> str | None:
    """What a check finds wrong with what it is given, one sentence; or None."""
    try:
        check(*subject)
    except AssertionError as error:
        return str(error)
    return None


def check_cell(cell_class: type[Cell]) -> list[tuple[str, str | None]]:
    """Runs every check of a cell.

    Args:
        cell_class: The class of the cell.

    Returns:
        For each check its fact in words, and what is wrong or None.

    Example:
        >>> import torch
        >>> class Forgetful(Cell):
        ...     def __init__(self, input_size: int) -> None:
        ...         super().__init__()
        ...         self.input_size = self.output_size = input_size
        ...         self.state_sizes = (input_size,)
        ...         self.weight = torch.nn.Parameter(torch.ones(input_size))
        ...
        ...     def step(self, z, state):
        ...         h = torch.tanh(self.weight * (z - z.mean(0)) + state[0])
        ...         return h, (h,)
        >>> found = dict(check_cell(Forgetful))
        >>> print(found["rows can change places"])
        the output of step changes when the rows of input and state are put in another order, ...
        >>> print(found["padding changes nothing"])
        None
    """
    return [(name_of(check), problem(check, cell_class)) for check in cells.CHECKS]


def slowness(cell_class: type[Cell]) -> str | None:
    """Why a cell is read more slowly than others, as its first reading warns; None where it is not.

    Args:
        cell_class: The class of the cell, none of which has been read.

    Example:
        >>> class Deciding(Cell):
        ...     def __init__(self, input_size: int) -> None:
        ...         super().__init__()
        ...         self.input_size = self.output_size = input_size
        ...         self.state_sizes = (input_size,)
        ...
        ...     def step(self, z, state):
        ...         h = z if z.sum() > 0 else state[0]
        ...         return h, (h,)
        >>> print(slowness(Deciding))
        cell Deciding is run step by step, which is slower: its step decides by the values of a tensor ...
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            subject = next(subjects(cell_class))
            scan(subject.cell.float(), subject.x.float())
        except Exception:  # which the checks tell
            return None
    slow = (StepByStepWarning, NoKernelWarning)
    return next((str(one.message) for one in said if issubclass(one.category, slow)), None)


def noise(cell_class: type[Cell]) -> str | None:
    """That a cell draws random numbers in training, and so is checked as it is in evaluation; else None."""
    with torch.random.fork_rng(devices=[]):
        try:
            drawing = [subject.setting for subject in subjects(cell_class) if subject.draws]
        except Exception:  # which the checks tell
            return None
    if not drawing:
        return None
    name, options = cell_class.__name__, ", ".join(filter(None, drawing))
    with_ = "" if "" in drawing else f" with {options}"
    return f"cell {name} draws random numbers in training{with_}, and is checked as it is in evaluation"


def no_candidate(cell_class: type[Cell]) -> str | None:
    """That a cell passes nothing through :meth:`Cell.drop_candidate`, as it may; None where it does.

    Args:
        cell_class: The class of the cell.

    Example:
        >>> from rnnx.core.testing.tasks.probe import Probe
        >>> no_candidate(Probe)
    """
    with torch.random.fork_rng(devices=[]):
        try:
            if any(has_candidate(subject.cell) for subject in subjects(cell_class)):
                return None
        except Exception:  # which the checks tell
            return None
    return (
        f"cell {cell_class.__name__} passes nothing through self.drop_candidate, so that "
        "net.recurrent_dropout is refused with it"
    )


def check_task(task_class: type[Task], data: Data) -> list[tuple[str, str | None]]:
    """Runs every check of a task.

    Args:
        task_class: The class of the task.
        data: A small source of examples for it.

    Returns:
        For each check its fact in words, and what is wrong or None.
    """
    return [(name_of(check), problem(check, task_class, data)) for check in tasks.CHECKS]


def subject_of(plugin: Plugin, options: Mapping[str, Any] = MappingProxyType({})) -> tuple[Any, ...]:
    """What the checks of an installed component are given: a cell's class; a task's class and its data.

    A task is checked on its data ``toy``, and data with its task.

    Args:
        plugin: The component.
        options: Of the data; the others are as they are by default.

    Raises:
        UsageError: the task has no such data, or data lacks an option that has no default.
        RunError: one of them cannot be imported.
    """
    if plugin.kind == "cell":
        return (plugin.load(),)
    task = plugin if plugin.kind == "task" else find("task", plugin.task or "")
    name = plugin.name if plugin.kind == "data" else f"{plugin.name}.toy"
    return task.load(), Spec.from_plain("data", {"name": name, **options}).build()


def conformance(
    name: str, kind: str = "cell", options: Mapping[str, Any] = MappingProxyType({})
) -> Callable[[Check], None]:
    """The tests of an installed cell, task or data, one a check: the whole test file of a plugin.

    Needs pytest, which ``rnnx-core[testing]`` brings::

        from rnnx.core.testing import conformance; test_conformance = conformance("mycell")
        from rnnx.core.testing import conformance; test_conformance = conformance("mytask", "task")
        from rnnx.core.testing import conformance; test_conformance = conformance("nmt.mine", "data")

    Args:
        name: Name of its entry point.
        kind: ``cell``, ``task`` or ``data``.
        options: Of the data, where some have no default, as ``{"train": "tests/train.tsv"}``.

    Returns:
        A test for pytest to find.
    """
    import pytest

    @cache
    def subject() -> tuple[Any, ...]:
        return subject_of(find(kind, name), options)

    @pytest.mark.parametrize("check", CHECKS[kind], ids=name_of)
    def test_conformance(check: Check) -> None:
        found = problem(check, *subject())
        if found:
            pytest.fail(found, pytrace=False)

    return test_conformance
