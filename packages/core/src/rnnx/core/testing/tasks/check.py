"""How checks of a task are made: of its class, of its defaults, or of each setting of its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import torch

from rnnx.core.data import Data
from rnnx.core.task import Task
from rnnx.core.testing.check import Check, check_of, one_sentence
from rnnx.core.testing.comparison import require
from rnnx.core.testing.tasks.probe import installed
from rnnx.core.testing.tasks.subject import Subject, subjects


def of_the_class(fact: Callable[[type[Task]], None]) -> Check:
    """Makes a check of a function that looks at the class itself."""
    return _made(fact, lambda task_class, data: fact(task_class))


def of_the_data(fact: Callable[[Data], None]) -> Check:
    """Makes a check of a function that looks at the data alone."""
    return _made(fact, lambda task_class, data: fact(data))


def of_the_defaults(fact: Callable[[Subject], None]) -> Check:
    """Makes a check of a function that looks at one task: it is run for the defaults of the options."""
    return _made(fact, lambda task_class, data: fact(next(subjects(task_class, data))))


def of_each_setting(fact: Callable[[Subject], None]) -> Check:
    """Makes a check of a function that looks at one task: it is run for each setting of the options.

    First for the defaults, then for each value of each ``bool`` or ``Literal``, set alone; the sentence
    begins with it.
    """

    def check(task_class: type[Task], data: Data) -> None:
        for subject in subjects(task_class, data):
            with one_sentence(task_class, subject.setting):
                fact(subject)

    return _made(fact, check)


@contextmanager
def numbers(dtype: torch.dtype) -> Iterator[None]:
    """Makes new tensors of a type, as a trainer of that precision does."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _made(fact: Callable[..., None], check: Callable[[type[Task], Data], None]) -> Check:
    """A check ``(task_class, data)``, of 64 bits, with the small cell to build nets of."""

    def prepared(task_class: type[Task], data: Data) -> None:
        require(isinstance(data, Data), f"{data!r} is no {Data.__module__}.{Data.__qualname__}")
        data.prepare()
        with numbers(torch.double), installed():
            check(task_class, data)

    return check_of(Task)(wraps(fact)(prepared))
