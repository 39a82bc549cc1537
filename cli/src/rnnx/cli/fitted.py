"""A table of numbers on a terminal of any width: a number is shown whole, or its column is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

LABEL: Final = 20  # columns of the terminal that the labels keep, if they need as many
GAP: Final = 2


@final
@dataclass(frozen=True)
class Fitted:
    """A table whose first column, the labels, folds; of the others some are left out where there is no room.

    Attributes:
        columns: Their headings.
        rows: The cells, row by row.
        spare: The places of the columns that may be left out, and what a note below calls them; the last of
            them is left out first.
        advice: How those left out are seen, the end of that note.

    Example:
        >>> narrow = Fitted(["model", "f1", "loss"], [["gru", "70.58", "0.3125"]], {2: "loss"}, "see csv")
        >>> narrow.left_out(20), narrow.left_out(19)
        ([], [2])
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    spare: Mapping[int, str]
    advice: str

    def left_out(self, width: int) -> list[int]:
        """The places of the columns that a terminal of this width has no room for.

        Args:
            width: In columns of the terminal.
        """
        label, *widths = [max(map(cell_len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]
        needed = min(label, LABEL) + sum(GAP + one for one in widths)
        found = []
        for place in reversed(list(self.spare)):
            if needed <= width:
                break
            found.append(place)
            needed -= GAP + widths[place - 1]
        return sorted(found)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        out = self.left_out(options.max_width)
        shown = [place for place in range(len(self.columns)) if place not in out]
        made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for place in shown:
            made.add_column(self.columns[place], no_wrap=place > 0, overflow="fold")
        for row in self.rows:
            made.add_row(*(row[place] for place in shown))
        yield made
        if out:
            yield f"also there: {', '.join(self.spare[place] for place in out)}; {self.advice}"
