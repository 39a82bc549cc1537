"""Which version of a class it is: its methods may be replaced while a program runs, and what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, Final, final

PLAIN: Final = (type(None), bool, int, float, complex, str)  # whose values say all of them
LIBRARIES: Final = frozenset({"builtins", "abc", "typing", "torch"})  # which stay as they are
ENTRIES: Final = ("step", "forward")  # of those that have them the methods that are called first
MOST: Final = 1000  # versions that are kept

_versions: dict[type, _Version] = {}


def version(kind: type) -> object:
    """What stays the same while a class does what it did, and is another object once it may not.

    That goes by the code of its methods and of the functions of their modules, and by the numbers and texts
    among what they name: attributes of the class, and of their modules. Where it has a ``step`` or a
    ``forward``, only what they lead to counts.

    Args:
        kind: The class.

    Example:
        >>> class Doubling:
        ...     factor = 2
        ...     def __call__(self, x):
        ...         return self.factor * x
        >>> before = version(Doubling)
        >>> version(Doubling) is before
        True
        >>> Doubling.factor = 3
        >>> version(Doubling) is before
        False
    """
    known = _versions.get(kind)
    if known is None or not known.holds():
        if len(_versions) >= MOST:
            _versions.clear()
        known = _versions[kind] = _Version(kind)
    return known


def is_librarys(module: str | None) -> bool:
    """Whether what is of a module stays as it is."""
    return module is None or module.partition(".")[0] in LIBRARIES


@final
class _Version:
    """A class as it is now: what it is made of, kept, so that nothing else can take its place unseen."""

    def __init__(self, kind: type) -> None:
        self.codes: list[tuple[FunctionType, CodeType]] = []
        self.values: list[tuple[Mapping[str, Any], str, Any]] = []
        spaces = [vars(base) for base in kind.__mro__ if not is_librarys(base.__module__)]
        names = {name for space in spaces for name in space}
        self._follow(spaces, [name for name in ENTRIES if name in names] or names)

    def holds(self) -> bool:
        """Whether the class is still so."""
        return all(space.get(name) is value for space, name, value in self.values) and all(
            function.__code__ is code for function, code in self.codes
        )

    def _follow(self, spaces: Sequence[Mapping[str, Any]], first: Iterable[str]) -> None:
        """Goes from names of the class to what their code names, and so on."""
        seen: set[tuple[int, str]] = set()
        waiting = [(space, name) for space in spaces for name in first]
        while waiting:
            space, name = waiting.pop()
            if (id(space), name) in seen or name not in space:
                continue
            seen.add((id(space), name))
            value = space[name]
            function = _function(value)
            if function is None and type(value) not in PLAIN:
                continue
            self.values.append((space, name, value))
            if function is None or is_librarys(function.__module__):
                continue
            self.codes.append((function, function.__code__))
            around = function.__globals__
            for named in _names(function.__code__):
                waiting += [(space, named) for space in spaces]
                other = around.get(named)
                if type(other) in PLAIN or (
                    isinstance(other, FunctionType) and other.__module__ == function.__module__
                ):
                    waiting.append((around, named))


def _function(value: Any) -> FunctionType | None:
    """The function that an attribute of a class calls."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    return value if isinstance(value, FunctionType) else None


def _names(code: CodeType) -> Iterator[str]:
    """All that code names, and the code within it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part)
