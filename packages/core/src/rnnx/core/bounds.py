"""Bounds of options, as types: a value out of bounds is refused like one of the wrong type.

An option says its bounds in its signature: ``hidden_size: Positive = 256``. What is not here is written in
place, as these are: ``Annotated[int, Ge(1000)]``, with ``Ge``, ``Gt``, ``Le`` and ``Lt`` of the library
``annotated_types``.

Example:
    >>> from rnnx.core.options import Option
    >>> from rnnx.core.declarations.validation import validate
    >>> option = Option("dropout", Rate, 0.0)
    >>> option.expected
    'a number of at least 0 and below 1'
    >>> validate("net", "net", {"dropout": option}, {"dropout": 1.5})[1]["dropout"]
    'net.dropout: expected a number of at least 0 and below 1, got 1.5'
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from annotated_types import Ge, Gt, Le, Lt

from rnnx.core.declarations import kinds
from rnnx.core.errors import UsageError

LARGEST_SEED: Final = 4_294_967_295  # NumPy's: 32 bits

Positive: TypeAlias = Annotated[int, Ge(1)]  # a size, or a number of things there must be
Count: TypeAlias = Annotated[int, Ge(0)]  # a number of things, perhaps none
Limit: TypeAlias = Annotated[int, Ge(-1)]  # a number of things at most; -1 for no limit
Seed: TypeAlias = Annotated[int, Ge(0), Le(LARGEST_SEED)]  # of random numbers

AboveZero: TypeAlias = Annotated[float, Gt(0)]  # a learning rate, a scale
NonNegative: TypeAlias = Annotated[float, Ge(0)]  # a weight, a penalty: 0 turns it off
Share: TypeAlias = Annotated[float, Ge(0), Le(1)]  # a part of a whole, from none to all of it
Fraction: TypeAlias = Annotated[float, Gt(0), Le(1)]  # a part of a whole, and never none of it
Rate: TypeAlias = Annotated[float, Ge(0), Lt(1)]  # of dropout, of decay: never all


def refuse_other(option: str, value: object, choice: Any) -> None:
    """Refuses a value that is not among a ``Literal``'s, from Python too, where no command line has looked.

    For a constructor that would take any other value for one of them without a word.

    Args:
        option: What the user calls it.
        value: What came.
        choice: The ``Literal``.

    Raises:
        UsageError: it is not among them.

    Example:
        >>> from typing import Literal
        >>> refuse_other("cell.reset", "befor", Literal["before", "after"])
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: cell.reset: expected one of before, after, got 'befor'
    """
    if value not in kinds.choices(choice):
        raise UsageError(f"{option}: expected {kinds.expected(choice)}, got {kinds.shown(value)}")
