"""Options of ``rnnx predict`` that are of no use in the mode that was asked for."""

from __future__ import annotations

from collections.abc import Collection

from rnnx.core.errors import UsageError


def refuse_idle(mode: str, useful: Collection[str], **options: object) -> None:
    """Refuses options that are given and of no use in a mode.

    Args:
        mode: Which was asked for.
        useful: The names of those that are of use in it.
        **options: Options by name; None where one is not given.

    Raises:
        UsageError: there are such options; all are named.

    Example:
        >>> refuse_idle("score", ["length"], length=9, top_k=None)
        >>> refuse_idle("score", ["length"], length=9, top_k=3)
        Traceback (most recent call last):
            ...
        rnnx.core.errors.UsageError: top_k: of no use with mode=score; leave it out
    """
    idle = [name for name, value in options.items() if value is not None and name not in useful]
    if idle:
        raise UsageError(*(f"{name}: of no use with mode={mode}; leave it out" for name in idle))
