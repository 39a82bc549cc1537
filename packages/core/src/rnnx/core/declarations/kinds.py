"""The types that an option may have, in words."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Final

from annotated_types import Ge, Gt, Le, Lt

NAMES: Final = {  # of the types an option may have: one of them, and several
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "booleans"),
    types.NoneType: ("null", "nulls"),
    tuple: ("a list", "lists"),
    list: ("a list", "lists"),
    dict: ("a mapping", "mappings"),
}


def is_plain(kind: Any) -> bool:
    """Whether YAML can hold all values of a type, and this module has words for it.

    Example:
        >>> is_plain(tuple[int, ...] | None), is_plain(set[int])
        (True, False)
    """
    arguments = [argument for argument in typing.get_args(kind) if argument is not ...]
    match typing.get_origin(kind):
        case None:
            return kind is None or kind in NAMES
        case typing.Literal:
            return True
        case typing.Annotated:
            number, *bounds = arguments
            return number in (int, float) and all(isinstance(bound, Ge | Gt | Le | Lt) for bound in bounds)
        case typing.Union | types.UnionType:
            return all(map(is_plain, arguments))
        case origin if origin is dict:
            return arguments[0] is str and is_plain(arguments[1])
        case origin:
            return origin in NAMES and all(map(is_plain, arguments))


def expected(kind: Any) -> str:
    """What a value of a type looks like, in words.

    Example:
        >>> expected(typing.Literal["before", "after"] | None)
        'one of before, after, null'
        >>> expected(Annotated[int, Ge(1)])
        'an integer of at least 1'
    """
    values = choices(kind)
    return f"one of {', '.join(values)}" if values and bool not in _members(kind) else _described(kind)


def choices(kind: Any) -> tuple[str, ...]:
    """The values of a type as typed, where they can be counted; else none.

    Example:
        >>> choices(bool | None), choices(int | None)
        (('true', 'false', 'null'), ())
    """
    counted = [_counted(member) for member in _members(kind)]
    return sum(counted, ()) if all(counted) else ()


def shown(value: Any) -> str:
    """A value as a sentence quotes it.

    Example:
        >>> shown("a"), shown(None), shown([1])
        ("'a'", 'null', '[1]')
    """
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union; else the type alone."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _counted(kind: Any) -> tuple[str, ...]:
    """The values of a type as typed, if they can be counted."""
    if typing.get_origin(kind) is typing.Literal:
        return tuple(
            value if isinstance(value, str) else json.dumps(value) for value in typing.get_args(kind)
        )
    return {bool: ("true", "false"), types.NoneType: ("null",)}.get(kind, ())


def _described(kind: Any) -> str:
    """A type in words."""
    members, arguments = _members(kind), typing.get_args(kind)
    origin = typing.get_origin(kind) or kind
    if len(members) > 1:
        return " or ".join(map(_described, members))
    if origin is typing.Literal:
        return " or ".join(map(shown, arguments))
    if origin not in (tuple, list) or not arguments:
        return _noun(kind, several=False)
    if origin is list or arguments[-1] is ...:
        return f"a list of {_noun(arguments[0], several=True)}"
    if len(set(arguments)) == 1:
        return f"a list of {len(arguments)} {_noun(arguments[0], several=True)}"
    return f"a list of {len(arguments)}: {', '.join(map(_described, arguments))}"


def _noun(kind: Any, several: bool) -> str:
    """What one value of a type is called, or several, and the bounds of it."""
    number, *bounds = typing.get_args(kind) if typing.get_origin(kind) is Annotated else (kind,)
    name = NAMES.get(typing.get_origin(number) or number, ("a value", "values"))[several]
    return f"{name} {_bounded(bounds)}" if bounds else name


def _bounded(bounds: Sequence[Ge | Gt | Le | Lt]) -> str:
    """Bounds in words, as they follow a number."""
    match bounds:
        case [Ge(low), Le(high)]:
            return f"from {low} to {high}"
    limits = " and ".join(map(_limit, bounds))
    return f"of {limits}" if limits.startswith("at") else limits


def _limit(bound: Ge | Gt | Le | Lt) -> str:
    match bound:
        case Ge(low):
            return f"at least {low}"
        case Gt(low):
            return f"above {low}"
        case Le(high):
            return f"at most {high}"
        case Lt(high):
            return f"below {high}"
