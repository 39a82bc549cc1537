"""The ledger of results, ``experiments/README.md``: as a page, and what it says of each cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import final

from markdown_it import MarkdownIt

from docs.site.page import Page

FOLDER = Path(__file__).parents[2] / "experiments"
PICTURE = re.compile(r"\]\((figures/[^)]+)\)")


@final
@dataclass(frozen=True)
class Extract:
    """The rows of one table that are about one cell.

    Args:
        heading: The table's section.
        head: The heading and the rule of the table, two lines.
        rows: Its lines.
    """

    heading: str
    head: str
    rows: list[str]

    @property
    def anchor(self) -> str:
        """The section's place on the page of results."""
        return re.sub(r"[\s_]+", "-", re.sub(r"[^\w\s-]", "", self.heading).strip().lower())


def pages() -> list[Page]:
    """The ledger, with its pictures."""
    files = {name: (FOLDER / name).read_bytes() for name in PICTURE.findall(text())}
    return [Page("results.md", text(), files)]


def extracts(cell: str) -> list[Extract]:
    """The rows whose first column begins with a cell's name.

    Args:
        cell: As the ledger writes it in the first column: `` `gru` ``, or `` `gru`, reset before``.
    """
    found = []
    for heading, lines in _tables(text()):
        head, rule, *body = lines
        rows = [line for line in body if re.match(rf"\| *`{re.escape(cell)}`", line)]
        repeats = head.split("|").count(head.split("|")[-2]) > 1  # a table folded into columns side by side
        if rows and not repeats:
            found.append(Extract(heading, f"{head}\n{rule}", rows))
    return found


def text() -> str:
    """The ledger, in Markdown."""
    return (FOLDER / "README.md").read_text("utf-8")


@cache
def _tables(content: str) -> list[tuple[str, list[str]]]:
    """Every table, as its lines, under the heading of its section."""
    return list(_found(content))


def _found(content: str) -> Iterator[tuple[str, list[str]]]:
    lines = content.splitlines()
    heading = ""
    tokens = MarkdownIt().enable("table").parse(content)
    for token, following in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        if token.type == "heading_open":
            heading = following.content
        elif token.type == "table_open" and token.map:
            yield heading, lines[slice(*token.map)]
