"""A page that is made from the program, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True)
class Page:
    """A page.

    Args:
        uri: Its file, from the folder ``docs``.
        text: Its Markdown.
        files: What it shows, by the file's name from ``docs``: pictures.
    """

    uri: str
    text: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table, in which a bar is no end of a cell.

    Example:
        >>> print(table(["a", "b"], [["1 | 2", "3"]]))
        | a | b |
        | --- | --- |
        | 1 \| 2 | 3 |
    """
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
