"""What a check is: a function of a component that says in one sentence what is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TypeAlias

import torch

from rnnx.core.contract import line_of
from rnnx.core.errors import RnnxError
from rnnx.core.testing.comparison import require
from rnnx.core.unrolling.plans import StepByStepWarning

Check: TypeAlias = Callable[..., None]  # of a component's class, and of what else it is checked with


def check_of(base: type) -> Callable[[Check], Check]:
    """Makes checks of functions that look at a class.

    Whatever such a function raises becomes an ``AssertionError`` of one sentence, and the random numbers of
    the program are left as they were.

    Args:
        base: What the class must be a kind of.
    """

    def made(fact: Check) -> Check:
        @wraps(fact)
        def check(component: type, *given: object) -> None:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), one_sentence(component):
                warnings.simplefilter("ignore", StepByStepWarning)
                kin = isinstance(component, type) and issubclass(component, base)
                require(kin, f"{component!r} is no subclass of {base.__module__}.{base.__qualname__}")
                fact(component, *given)

        return check

    return made


@contextmanager
def one_sentence(component: type, setting: str = "") -> Iterator[None]:
    """Makes of whatever is raised an ``AssertionError`` of one sentence.

    Args:
        component: The class in question; the line of its own file that an error came through is told.
        setting: What the user would have set, as typed; the sentence begins with it.

    Example:
        >>> with one_sentence(int, "cell.depth=2"):
        ...     1 / 0
        Traceback (most recent call last):
        AssertionError: with cell.depth=2: ZeroDivisionError: division by zero
    """
    where = f"with {setting}: " if setting else ""
    try:
        yield
    except (AssertionError, RnnxError) as error:
        raise AssertionError(where + " ".join(str(error).split())) from error
    except Exception as error:
        said = " ".join(str(error).split())
        raise AssertionError(f"{where}{type(error).__name__}{line_of(component, error)}: {said}") from error
