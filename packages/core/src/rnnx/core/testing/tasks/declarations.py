"""Checks of what a task says of itself and of its data: documentation, options, plain meta."""

from __future__ import annotations

import inspect
from typing import Any

from rnnx.core.data import Data
from rnnx.core.options import Options, options_of
from rnnx.core.task import Task
from rnnx.core.testing.comparison import require
from rnnx.core.testing.tasks.check import of_the_class, of_the_data
from rnnx.core.testing.tasks.subject import predict_options, through_json


@of_the_class
def check_everything_public_is_documented(task_class: type[Task]) -> None:
    """The class and each of its methods, by itself or by the method that it overrides."""
    require(bool(task_class.__doc__), f"the class {task_class.__name__} has no docstring")
    for name, member in vars(task_class).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            overridden = (vars(owner)[name] for owner in task_class.__mro__ if name in vars(owner))
            documented = any(method.__doc__ for method in overridden)
            require(documented, f"method {name} has no docstring")


@of_the_class
def check_options_are_typed_and_documented(task_class: type[Task]) -> None:
    """Constructor and ``predict``: what the program gives by place, and options with type, default and text.

    That is ``net`` and ``meta``, and ``lines``.
    """
    _assert_places("the constructor", task_class.__init__, ["net", "meta"])
    _assert_documented("the constructor", options_of(task_class))
    _assert_places("predict", task_class.predict, ["lines"])
    _assert_documented("predict", predict_options(task_class))


@of_the_data
def check_meta_is_plain(data: Data) -> None:
    """What the data tells of itself comes back from JSON as it was, and is all that a checkpoint holds."""
    try:
        back = through_json(data.meta)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the meta of the data cannot be written as JSON: {error}") from error
    place = _difference(data.meta, back, "meta")
    require(place is None, f"{place} is not plain data: it comes back from JSON as something else")


def _assert_places(what: str, function: Any, expected: list[str]) -> None:
    _, *parameters = inspect.signature(function).parameters.values()
    positional = [p.name for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
    require(
        positional == expected,
        f"the positional parameters of {what} are {', '.join(positional) or 'none'}, expected "
        f"{', '.join(expected)} alone, as options are keyword-only",
    )


def _assert_documented(what: str, options: Options) -> None:
    for option in options.values():
        require(not option.required, f"option {option.name!r} of {what} has no default")
        require(bool(option.doc), f"option {option.name!r} of {what} has no line under 'Args:'")


def _difference(one: Any, other: Any, place: str) -> str | None:
    """Where plain data differ, in type or value, or None."""
    if type(one) is not type(other):
        return place
    match one:
        case dict():
            if list(one) != list(other):
                return f"a key of {place}"
            found = (_difference(value, other[key], f"{place}[{key!r}]") for key, value in one.items())
        case list():
            pairs = enumerate(zip(one, other, strict=True))
            found = (_difference(*pair, f"{place}[{number}]") for number, pair in pairs)
        case _:
            return None if one == other else place
    return next(filter(None, found), None)
