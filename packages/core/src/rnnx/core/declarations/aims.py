"""What a task says of its metrics and of what it counts, read from its source: torch takes seconds."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, final

from rnnx.core.declarations.source import Source, Unreadable
from rnnx.core.declarations.target import UNREADABLE, Definition, Target, definitions, imported, path_of


@final
@dataclass(frozen=True)
class Aims:
    """Which metrics are to fall and which are to rise, and of what there are so many a second.

    Args:
        monitor: The metric that chooses the best checkpoint.
        mode: ``min`` if it is to fall, ``max`` if it is to rise.
        falling: The other metrics that are better the lower they are.
        counted: What is predicted, and counted by the loss, in the plural.

    Example:
        >>> aims = Aims("bleu", "max", frozenset({"loss"}), "tokens")
        >>> aims.rises("bleu"), aims.rises("loss"), aims.rises("chrf")
        (True, False, True)
    """

    monitor: str
    mode: str
    falling: AbstractSet[str]
    counted: str

    def rises(self, metric: str) -> bool:
        """Whether a metric is better the higher it is."""
        return self.mode == "max" if metric == self.monitor else metric not in self.falling


def aims_of(task: Target) -> Aims:
    """The aims of a task: read from the source if the source says them plainly, else by importing it.

    Args:
        task: The plugin of a task, or ``module:Class``.

    Raises:
        RunError: it cannot be imported, where it must be.

    Example:
        >>> aims_of("rnnx.core.task:Task").monitor
        'loss'
    """
    try:
        owners = definitions(f"{path_of(task)}.rises")
        return Aims(*(_written(owners, name) for name in ("monitor", "mode", "falling", "counted")))
    except UNREADABLE:
        kind = imported(task)
        return Aims(kind.monitor, kind.mode, kind.falling, kind.counted)


def _written(owners: Sequence[Definition], name: str) -> Any:
    """The value that the first of some classes gives an attribute."""
    for source, owner, _ in owners:
        if isinstance(owner, ast.ClassDef) and (node := source.attribute(owner, name)) is not None:
            return _value(source, node)
    raise Unreadable(name)


def _value(source: Source, node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="frozenset"), args=[argument], keywords=[]):
            return frozenset(_value(source, argument))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _value(source, left) | _value(source, right)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return _written(definitions(f"{source.name}:{name}.rises"), attribute)
    return source.value(node)
