"""Options: the keyword-only parameters of a component. The constructor is the command line."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

from rnnx.core.declarations import kinds
from rnnx.core.declarations.docstrings import arguments
from rnnx.core.declarations.source import Unreadable
from rnnx.core.declarations.target import UNREADABLE, Target, definitions, imported, path_of, title_of
from rnnx.core.errors import RunError
from rnnx.core.registry import Plugin

REQUIRED: Final = ...  # the default of an option that has none


@final
@dataclass(frozen=True)
class Option:
    """One keyword-only parameter.

    Args:
        name: Its name.
        type: Its type, made of ``int float str bool tuple list dict``, ``Literal``, None and unions; a number
            may have bounds, see :mod:`rnnx.core.bounds`.
        default: Its default, or ``REQUIRED``.
        doc: What the docstring says of it, on one line.

    Example:
        >>> from typing import Literal
        >>> from rnnx.core.bounds import Positive
        >>> Option("reset", Literal["before", "after"] | None, None).expected
        'one of before, after, null'
        >>> Option("sizes", tuple[int, ...], ()).expected
        'a list of integers'
        >>> Option("layers", Positive, 1).expected
        'an integer of at least 1'
    """

    name: str
    type: Any
    default: Any = REQUIRED
    doc: str = ""

    @property
    def required(self) -> bool:
        """Whether the user has to give it."""
        return self.default is REQUIRED

    @property
    def expected(self) -> str:
        """What a value of it looks like, in words."""
        return kinds.expected(self.type)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values as typed, where they can be counted; else empty."""
        return kinds.choices(self.type)


Options: TypeAlias = dict[str, Option]


def options_of(target: Target) -> Options:
    """The options of a component, a function or a method, in the order of its signature.

    Read from the source if the source says it plainly, else by importing it.

    Args:
        target: A plugin, ``module:function``, ``module:Class`` or ``module:Class.method``; or a class, a
            function or a method.

    Raises:
        RunError: the signature is none that can be a command line, or cannot be imported.
    """
    try:
        signature = _written(path_of(target))
    except UNREADABLE:
        signature = _imported(imported(target), title_of(target))
    documented: dict[str, str] = {}
    for docstring in signature.docstrings:
        documented |= arguments(docstring)
    if signature.optional:
        first = signature.optional[0]
        raise RunError(
            f"{title_of(target)}: {first} has a default, but nobody can set it, as options are keyword-only; "
            f"write a * before it (*, {first}, ...)"
        )
    if signature.variadic:
        raise RunError(
            f"{title_of(target)}: takes **{signature.variadic}; write each option as a keyword-only parameter"
        )
    return {
        name: _checked(target, Option(name, kind, default, documented.get(name, "")))
        for name, kind, default in signature.parameters
    }


@final
@dataclass(frozen=True)
class _Signature:
    """How a component is made.

    Attributes:
        parameters: Keyword-only ones: name, type, default.
        optional: Names of those with a default that are not keyword-only.
        variadic: The name of ``**kwargs``.
        docstrings: What documents them.
    """

    parameters: list[tuple[str, Any, Any]]
    optional: list[str]
    variadic: str | None
    docstrings: list[str]


def _written(path: str) -> _Signature:
    """The signature as the source has it."""
    found = definitions(path)
    source, _, function = found[-1]
    owners = [] if "." in path.partition(":")[2] else [owner for _, owner, _ in reversed(found)]
    if function is None:
        if not owners:
            raise Unreadable(path)
        return _Signature([], [], None, [])
    documented = [ast.get_docstring(node) or "" for node in (*owners, function)]
    written = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    parameters = [
        (
            argument.arg,
            source.annotation(argument.annotation) if argument.annotation else inspect.Parameter.empty,
            REQUIRED if default is None else source.value(default),
        )
        for argument, default in written
    ]
    positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    optional = positional[len(positional) - len(function.args.defaults) :]
    variadic = function.args.kwarg
    return _Signature(parameters, optional, variadic.arg if variadic else None, documented)


def _imported(component: Any, title: str) -> _Signature:
    """The signature as the interpreter has it."""
    owners: list[type] = []
    function = component
    if isinstance(component, type):
        line = component.__mro__
        end = next(index for index, owner in enumerate(line) if "__init__" in vars(owner))
        owners, function = list(reversed(line)), vars(line[end])["__init__"]
        if line[end] is object:
            return _Signature([], [], None, [])
    parameters = inspect.signature(function).parameters.values()
    variadic = [parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD]
    return _Signature(
        [
            (p.name, _evaluated(p, function, title), REQUIRED if p.default is p.empty else p.default)
            for p in parameters
            if p.kind is p.KEYWORD_ONLY
        ],
        [
            p.name
            for p in parameters
            if p.default is not p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ],
        variadic[0] if variadic else None,
        [vars(owner).get("__doc__") or "" for owner in owners] + [function.__doc__ or ""],
    )


def _evaluated(parameter: inspect.Parameter, function: Callable[..., Any], title: str) -> Any:
    """The type of a parameter, whose annotation may be a string."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return eval(parameter.annotation, inspect.unwrap(function).__globals__)
    except Exception as error:
        raise RunError(
            f"{title}: the type {parameter.annotation} of option {parameter.name!r} cannot be read: "
            f"{type(error).__name__}: {error}"
        ) from error


def _checked(target: Target, option: Option) -> Option:
    """An option, if YAML can hold its values and a file can name it."""
    if option.type is inspect.Parameter.empty:
        raise RunError(f"{title_of(target)}: option {option.name!r} has no type")
    if not kinds.is_plain(option.type):
        plain = "int, float (or these with Ge, Gt, Le, Lt), str, bool, None, Literal, tuple, list or dict"
        raise RunError(
            f"{title_of(target)}: the type of option {option.name!r} is {option.type}, not made of {plain}; "
            "a path is a str"
        )
    if option.name == "name" and isinstance(target, Plugin):
        raise RunError(
            f"{title_of(target)}: no option may be called 'name', which is the key of the component's own"
        )
    return option
