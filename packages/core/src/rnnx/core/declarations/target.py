"""What options and documentation are asked of: a plugin, or what ``module:Class.method`` names."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rnnx.core.declarations.source import Source, Unreadable, defined
from rnnx.core.registry import Plugin, load

Target: TypeAlias = Plugin | str | Callable[..., Any]
Definition: TypeAlias = tuple[Source, ast.ClassDef | ast.FunctionDef, ast.FunctionDef | None]

# what comes of a source that does not say it plainly: an import knows better, or says why
UNREADABLE: Final = (Unreadable, SyntaxError, TypeError, ValueError, RecursionError)


def path_of(target: Target) -> str:
    """Where it is, as ``module:Class.method``.

    Raises:
        Unreadable: it is no name but the thing itself, which may be in no file.

    Example:
        >>> path_of("rnnx.core.errors:RunError")
        'rnnx.core.errors:RunError'
    """
    match target:
        case Plugin():
            return target.target
        case str():
            return target
    raise Unreadable(title_of(target))


def title_of(target: Target) -> str:
    """What a sentence calls it.

    Example:
        >>> title_of(title_of)
        'title_of'
    """
    match target:
        case Plugin():
            return f"{target.title} of {target.origin}"
        case str():
            return target
    return target.__qualname__


def imported(target: Target) -> Any:
    """The thing itself.

    Raises:
        RunError: it cannot be imported.

    Example:
        >>> imported("rnnx.core.errors:RunError").__name__
        'RunError'
    """
    return load(path_of(target), title_of(target)) if isinstance(target, Plugin | str) else target


def definitions(path: str) -> list[Definition]:
    """The classes down to the one that defines the constructor or the method, or the function alone.

    Args:
        path: ``module:function``, ``module:Class`` or ``module:Class.method``.

    Returns:
        Of each its source, its definition, and the constructor or method, if it is there.

    Raises:
        Unreadable: the source does not say it plainly; or others of ``UNREADABLE``.

    Example:
        >>> [owner.name for _, owner, _ in definitions("rnnx.core.errors:InputError")][:1]
        ['InputError']
    """
    module, _, rest = path.partition(":")
    name, _, method = rest.partition(".")
    match defined(f"{module}:{name}"):
        case source, ast.ClassDef() as owner:
            return list(source.method(owner, method or "__init__"))
        case source, ast.FunctionDef(decorator_list=[]) as function if not method:
            return [(source, function, function)]
    raise Unreadable(path)
