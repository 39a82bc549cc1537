"""Which version of a class it is: its methods may be replaced while a program runs, and what they read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dis import get_instructions
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, Final, final

import numpy as np
import torch

PLAIN: Final = frozenset({type(None), bool, int, float, complex, str})  # whose values say all of them
LIBRARIES: Final = frozenset({"builtins", "abc", "typing", "torch"})  # which stay as they are
STEP: Final = ("step", "forward")  # of those that have them the methods that are called first
HEAP: Final = 1 << 9  # the flag of a class that is written in Python
GENERATORS: Final = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
MOST: Final = 1000  # versions that are kept
MISSING: Final = object()  # what there is not

_versions: dict[tuple[type, Sequence[str]], Version] = {}


def version(kind: type, entries: Sequence[str] = STEP) -> Version:
    """What stays the same while a class does what it did, and is another object once it may not.

    That goes by the code of its methods and of the functions of their modules that these call, and by which
    objects they name: attributes of the class, and of their modules. Where it has one of the entries, only
    what these lead to counts. What becomes of such an object itself is not seen; those that may change are
    its ``objects``.

    Args:
        kind: The class.
        entries: The methods that are called first.

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
    known = _versions.get((kind, entries))
    if known is None or not known.holds():
        if len(_versions) >= MOST:
            _versions.clear()
        known = _versions[kind, entries] = Version(kind, entries)
    return known


def is_librarys(module: str | None) -> bool:
    """Whether what is of a module stays as it is."""
    return module is None or module.partition(".")[0] in LIBRARIES


def may_change(value: Any) -> bool:
    """Whether what a name stands for can become another while it is the same object: no code, no number.

    Example:
        >>> [may_change(value) for value in ({}, [1], 1.0, may_change, dict)]
        [True, True, False, False, False]
    """
    kind = type(value)
    if isinstance(value, (type, ModuleType, FunctionType, property)) or kind in PLAIN or value is MISSING:
        return False
    written = kind.__flags__ & HEAP and not is_librarys(kind.__module__)
    return isinstance(value, (dict, list, set, SimpleNamespace, *GENERATORS)) or bool(written)


@final
class Version:
    """A class as it is now: what it is made of, kept, so that nothing else can take its place unseen.

    Attributes:
        objects: What its code names, or encloses, and may become another while it stays the same object.
    """

    def __init__(self, kind: type, entries: Sequence[str]) -> None:
        self.codes: list[tuple[FunctionType, CodeType]] = []
        self.values: list[tuple[Mapping[str, Any], str, Any]] = []
        self.objects: list[Any] = []
        spaces = [vars(base) for base in kind.__mro__ if not is_librarys(base.__module__)]
        names = {name for space in spaces for name in space}
        there = {name for name in entries if any(name in vars(base) for base in kind.__mro__)}
        self._follow(spaces, there or names)

    def holds(self) -> bool:
        """Whether the class is still so."""
        return all(space.get(name, MISSING) is value for space, name, value in self.values) and all(
            function.__code__ is code for function, code in self.codes
        )

    def _follow(self, spaces: Sequence[Mapping[str, Any]], first: Iterable[str]) -> None:
        """Goes from names of the class to what their code names, and so on."""
        seen: set[tuple[int, str]] = set()
        waiting = [(space, name, "") for space in spaces for name in first]
        while waiting:
            space, name, module = waiting.pop()
            if (id(space), name) in seen:
                continue
            seen.add((id(space), name))
            value = space.get(name, MISSING)
            self.values.append((space, name, value))
            if may_change(value) and not name.startswith("__"):
                self.objects.append(value)
            for function in _functions(value):
                if is_librarys(function.__module__) or module not in ("", function.__module__):
                    continue
                self.codes.append((function, function.__code__))
                self.objects += function.__closure__ or ()
                around, (of_module, of_class) = function.__globals__, named(function.__code__)
                waiting += [(space, other, "") for space in spaces for other in of_class]
                waiting += [(around, other, function.__module__) for other in of_module]
                modules = [around[other] for other in of_module if isinstance(around.get(other), ModuleType)]
                waiting += [
                    (vars(other), attribute, other.__name__)
                    for other in modules
                    if not is_librarys(other.__name__)
                    for attribute in of_class
                ]


def _functions(value: Any) -> Iterator[FunctionType]:
    """The functions that an attribute of a class, or of a module, calls."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    while isinstance(value, FunctionType):
        yield value
        value = vars(value).get("__wrapped__")


@lru_cache(MOST)
def named(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """What code, and the code within it, names of its module, and as attributes of whatever."""
    of_module, of_class = set[str](), set[str]()
    for instruction in get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            of_module.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            of_class.add(instruction.argval)
        elif isinstance(instruction.argval, CodeType):
            inner = named(instruction.argval)
            of_module |= inner[0]
            of_class |= inner[1]
    return frozenset(of_module), frozenset(of_class)
