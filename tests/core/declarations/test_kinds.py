from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Lt, MultipleOf

from rnnx.core.declarations.kinds import choices, expected, is_plain, shown

ATTENTION = Literal["additive", "dot"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ATTENTION, ("additive", "dot")),
        (Literal["a", 1, True] | None, ("a", "1", "true", "null")),
        (bool | None, ("true", "false", "null")),
        (int | Literal["auto"], ()),
        (int, ()),
    ],
)
def test_choices_are_what_can_be_typed(kind: Any, values: tuple[str, ...]) -> None:
    assert choices(kind) == values


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ATTENTION | None, "one of additive, dot, null"),
        (bool, "true or false"),
        (bool | Literal["auto"], "true or false or 'auto'"),
        (Annotated[int, Ge(1)] | None, "an integer of at least 1 or null"),
        (tuple[Annotated[float, Ge(0), Lt(1)], ...], "a list of numbers of at least 0 and below 1"),
        (tuple[int, str], "a list of 2: an integer, text"),
        (tuple[int, int], "a list of 2 integers"),
        (dict[str, int], "a mapping"),
    ],
)
def test_a_type_in_words(kind: Any, words: str) -> None:
    assert expected(kind) == words


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (None, True),
        (int | None, True),
        (dict[str, tuple[float, ...]], True),
        (dict[int, str], False),
        (tuple[complex, ...], False),
        (Annotated[float, Ge(0), Lt(1)], True),
        (Annotated[str, Ge(1)], False),
        (Annotated[int, MultipleOf(2)], False),
        (set[int], False),
        (object, False),
    ],
)
def test_plain_is_what_a_file_can_hold(kind: Any, plain: bool) -> None:
    assert is_plain(kind) is plain


def test_a_value_is_shown_as_the_user_writes_it() -> None:
    assert [shown(value) for value in ("é", True, None, ["é", 1])] == ["'é'", "true", "null", '["é", 1]']
