"""``rnnx check``: the conformance checks on one cell, as they are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from rnnx.core.registry import find


@final
@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Args:
        fact: What was checked, in words.
        problem: What is wrong, one sentence; None if nothing is.
    """

    fact: str
    problem: str | None

    @property
    def line(self) -> str:
        """As it is shown.

        Example:
            >>> Outcome("padding changes nothing", None).line
            'ok     padding changes nothing'
            >>> Outcome("padding changes nothing", "output at step 3 changes").line
            'WRONG  padding changes nothing: output at step 3 changes'
        """
        return f"ok     {self.fact}" if self.problem is None else f"WRONG  {self.fact}: {self.problem}"


def outcomes(name: str) -> Iterator[Outcome]:
    """Checks a cell, one fact after the other.

    Args:
        name: Name of its entry point.

    Raises:
        UsageError: there is no such cell.
        RunError: it cannot be imported.
    """
    plugin = find("cell", name)

    from rnnx.core.testing.kit import checks, name_of, problem

    cell_class = plugin.load()
    for check in checks():
        yield Outcome(name_of(check), problem(check, cell_class))
