"""Objects by what they are made of, so that two that are made alike can be known as such."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache, partial
from types import CellType, FunctionType, MemberDescriptorType, MethodType, SimpleNamespace
from typing import Any, Final, final

from torch import Tensor, nn

from rnnx.core.unrolling.trace import UntraceableError
from rnnx.core.unrolling.versions import (
    GENERATORS,
    HEAP,
    MOST,
    PLAIN,
    STEP,
    is_librarys,
    may_change,
    named,
    version,
)

INTERNAL: Final = frozenset(vars(nn.Module())) - {"training", "_parameters", "_buffers", "_modules"}
PARTED: Final = (
    Tensor,
    nn.Module,
    MethodType,
    FunctionType,
    CellType,
    partial,
    slice,
    SimpleNamespace,
    dict,
    list,
    tuple,
    set,
)


def fingerprint(value: Any, entries: Sequence[str] = STEP) -> Hashable:
    """A value that is equal for objects of like structure, and does not keep them alive.

    Containers, modules, functions and objects of classes written in Python go by their parts, and classes by
    their :func:`~rnnx.core.unrolling.versions.version`. Tensors go by shape and type, but where one comes up
    again it is known to be the same one. All else goes by its own equality.

    Args:
        value: Any object.
        entries: The methods of it, and of what it is made of, that are called first.

    Raises:
        UntraceableError: one of the parts can be changed without a trace.

    Example:
        >>> fingerprint(nn.Linear(2, 3)) == fingerprint(nn.Linear(2, 3))
        True
        >>> fingerprint([1]) == fingerprint([True])
        False
    """
    return _Fingerprint(entries).of(value)


@final
class _Fingerprint:
    """One value, and what was met of it.

    Args:
        entries: As of :func:`fingerprint`.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self.entries, self.met = entries, dict[int, int]()

    def of(self, value: Any) -> Hashable:
        """Its fingerprint."""
        kind: Any = type(value)  # a class, which mypy takes for unhashable
        if kind in PLAIN:
            return kind, value
        if _is_parted(kind) or isinstance(value, PARTED):
            if id(value) in self.met:
                return kind, self.met[id(value)]
            self.met[id(value)] = len(self.met)
            return kind, self._parts(value)
        if isinstance(value, GENERATORS):
            raise UntraceableError(f"may draw random numbers from a {kind.__name__} of its own")
        try:
            hash(value)
        except TypeError:
            raise UntraceableError(
                f"may depend on an attribute of type {kind.__name__}; make it a buffer"
            ) from None
        return kind, value

    def _parts(self, value: Any) -> Hashable:
        if isinstance(value, Tensor):
            return tuple(value.shape), value.dtype
        if isinstance(value, dict):
            return tuple((key, self.of(part)) for key, part in value.items())
        if isinstance(value, (list, tuple, set)):
            return tuple(self.of(part) for part in value)
        if isinstance(value, MethodType):
            return self.of(value.__func__), self.of(value.__self__)
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if isinstance(value, CellType):
            try:
                return self.of(value.cell_contents)
            except ValueError:  # it is empty
                return None
        if isinstance(value, partial):
            return tuple(self.of(part) for part in (value.func, value.args, value.keywords))
        if isinstance(value, slice):
            return tuple(self.of(part) for part in (value.start, value.stop, value.step))
        if isinstance(value, type):
            return self._of_class(value)
        parts = ((name, part) for name, part in _attributes(value) if name not in INTERNAL)
        return self._of_class(type(value)), tuple((name, self.of(part)) for name, part in parts)

    def _of_class(self, kind: type) -> Hashable:
        """Its version, and what becomes of the objects that its methods name."""
        now = version(kind, self.entries)
        return now, tuple(self.of(part) for part in now.objects)

    def _of_function(self, function: FunctionType) -> Hashable:
        """Its code, what it has by itself, and what its code may find in its module."""
        if is_librarys(function.__module__):
            return function
        around, (of_module, _) = function.__globals__, named(function.__code__)
        own = (function.__defaults__, function.__kwdefaults__, function.__closure__)
        read = [(name, around[name]) for name in sorted(of_module) if name in around]
        return (
            function.__code__,
            tuple(self.of(part) for part in own),
            tuple((name, self.of(part)) for name, part in read if _is_own(part, function.__module__)),
        )


def _is_own(value: Any, module: str) -> bool:
    """Whether what a function names is a number, a text, a function of its own module, or may change."""
    if isinstance(value, FunctionType):
        return bool(value.__module__ == module)
    return type(value) in PLAIN or may_change(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Those of an object, in its dictionary or in slots."""
    kind: Any = type(value)
    if kind.__dictoffset__:
        yield from vars(value).items()
    for name, slot in _slots(kind):
        try:
            yield name, slot.__get__(value)
        except AttributeError:  # it has no value
            continue


@lru_cache(MOST)
def _slots(kind: type) -> Sequence[tuple[str, MemberDescriptorType]]:
    """The slots of a class's objects."""
    return [
        (name, slot)
        for base in kind.__mro__
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    ]


@lru_cache(MOST)
def _is_parted(kind: type) -> bool:
    """Whether objects of a class go by their parts; of others, some may stand for one that does."""
    return issubclass(kind, (*PARTED, type)) or (_is_plain(kind) and not issubclass(kind, GENERATORS))


def _is_plain(kind: type) -> bool:
    """Whether objects of a class are no more than their attributes."""
    written = kind.__mro__[:-1]
    return bool(written) and all(base.__flags__ & HEAP and "__new__" not in vars(base) for base in written)
