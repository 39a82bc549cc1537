from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnx.core.errors import RunError, UsageError
from rnnx.core.testing.check import check_of, one_sentence


class Thing:
    """What is checked here."""


def raising(error: Exception) -> Any:
    def check_it(thing: type[Thing]) -> None:
        """A fact."""
        raise error

    return check_it


RAISED = raising.__code__.co_firstlineno + 3  # the line that raises


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AssertionError("it\n  is wrong"), "it is wrong"),
        (RunError("it takes **options"), "it takes **options"),
        (UsageError("one", "two"), "one two"),
        (ValueError("odd\nsize"), f"ValueError at test_check.py:{RAISED}: odd size"),
        (KeyError("h"), f"KeyError at test_check.py:{RAISED}: 'h'"),
    ],
)
def test_whatever_is_raised_becomes_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(AssertionError) as raised:
        check_of(Thing)(raising(error))(Thing)
    assert str(raised.value) == sentence
    assert raised.value.__cause__ is error


def test_a_setting_comes_first() -> None:
    with (
        pytest.raises(AssertionError, match=r"^with task.tied=true: it is wrong$"),
        one_sentence(Thing, "task.tied=true"),
    ):
        raise AssertionError("it is wrong")


def test_what_else_it_is_checked_with_is_handed_on() -> None:
    seen: list[Any] = []
    check_of(Thing)(lambda *given: seen.append(given))(Thing, 3, "data")
    assert seen == [(Thing, 3, "data")]


def test_a_check_keeps_its_name_and_its_docstring() -> None:
    check = check_of(Thing)(raising(ValueError()))
    assert (check.__name__, check.__doc__) == ("check_it", "A fact.")


def test_a_class_that_was_typed_in_has_no_line() -> None:
    namespace: dict[str, Any] = {"__name__": "typed_in", "Thing": Thing}
    exec("class Typed(Thing):\n    def __init__(self): 1 / 0", namespace)

    def check_it(thing: type[Thing]) -> None:
        thing()

    with pytest.raises(AssertionError, match=r"^ZeroDivisionError: division by zero$"):
        check_of(Thing)(check_it)(namespace["Typed"])


@pytest.mark.parametrize("thing", [torch.nn.GRUCell, torch.relu, 3])
def test_what_is_none_is_told_so(thing: Any) -> None:
    with pytest.raises(AssertionError, match=rf"is no subclass of {Thing.__module__}.Thing$"):
        check_of(Thing)(raising(ValueError("not asked")))(thing)


def test_the_random_numbers_of_the_program_are_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_of(Thing)(lambda thing: torch.manual_seed(0))(Thing)
    assert torch.equal(torch.rand(2), expected)
