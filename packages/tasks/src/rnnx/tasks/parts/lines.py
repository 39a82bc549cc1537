"""The lines that a task is given to answer: each read by itself, some answered together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rnnx.core.errors import InputError, RnnxError

Row = TypeVar("Row")


def each(lines: Iterable[str], read: Callable[[str], Row]) -> Iterator[Row]:
    """What each line says, lazily.

    Args:
        lines: What is to be answered.
        read: Reads a line.

    Raises:
        InputError: ``read`` raised an error meant for the user, or a ValueError; it has the line's number.

    Example:
        >>> list(each(["1", "2"], int))
        [1, 2]
        >>> list(each(["1", "two"], int))
        Traceback (most recent call last):
            ...
        rnnx.core.errors.InputError: the input:2: invalid literal for int() with base 10: 'two'
    """
    for number, line in enumerate(lines, 1):
        try:
            row = read(line)
        except (RnnxError, ValueError) as error:
            raise InputError("the input", str(error), number) from error
        yield row


def together(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Rows in groups, lazily; those before one that cannot be had come before its error.

    Args:
        rows: What is grouped.
        size: Rows in a group; the last may be smaller.

    Example:
        >>> list(together("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
        >>> for group in together(each(["1", "2", "three"], int), 8):
        ...     print(group)
        Traceback (most recent call last):
            ...
        rnnx.core.errors.InputError: the input:3: invalid literal for int() with base 10: 'three'
    """
    group: list[Row] = []
    try:
        for row in rows:
            group.append(row)
            if len(group) == size:
                yield group
                group = []
    except RnnxError:
        if group:
            yield group
        raise
    if group:
        yield group
