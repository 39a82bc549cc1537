"""Objects by what they are made of, so that two that are made alike can be known as such."""

from __future__ import annotations

from collections.abc import Hashable
from types import MethodType
from typing import Any, Final

from torch import Tensor, nn

from rnnx.core.unrolling.trace import UntraceableError

HEAP: Final = 1 << 9  # the flag of a class that is written in Python
INTERNAL: Final = frozenset(vars(nn.Module())) - {"training", "_parameters", "_buffers", "_modules"}


def frozen(value: Any) -> Hashable:
    """A value that is equal for objects of like structure, and does not keep them alive.

    Containers, modules and objects of classes written in Python go by their parts, tensors by nothing, but
    where one comes up again it is known to be the same one. All else goes by its own equality.

    Args:
        value: Any object.

    Raises:
        UntraceableError: one of the parts can be changed without a trace.

    Example:
        >>> frozen(nn.Linear(2, 3)) == frozen(nn.Linear(2, 3)), frozen([1]) == frozen([True])
        (True, False)
    """
    return _frozen(value, {})


def _frozen(value: Any, met: dict[int, int]) -> Hashable:
    kind = type(value)
    if isinstance(value, (Tensor, nn.Module, MethodType, dict, list, tuple, set)) or _is_plain(kind):
        if id(value) in met:
            return kind, met[id(value)]
        met[id(value)] = len(met)
        return kind, _parts(value, met)
    try:
        hash(value)
    except TypeError:
        raise UntraceableError(f"may depend on an attribute of type {kind.__name__}") from None
    return kind, value


def _parts(value: Any, met: dict[int, int]) -> Hashable:
    if isinstance(value, Tensor):
        return None
    if isinstance(value, MethodType):
        return value.__func__, _frozen(value.__self__, met)
    if isinstance(value, dict):
        return tuple((key, _frozen(part, met)) for key, part in value.items())
    if isinstance(value, (list, tuple, set)):
        return tuple(_frozen(part, met) for part in value)
    return tuple((name, _frozen(part, met)) for name, part in vars(value).items() if name not in INTERNAL)


def _is_plain(kind: type) -> bool:
    """Whether objects of a class are no more than their attributes."""
    written = kind.__mro__[:-1]
    return bool(written) and all(
        base.__flags__ & HEAP and not {"__new__", "__slots__"} & vars(base).keys() for base in written
    )
