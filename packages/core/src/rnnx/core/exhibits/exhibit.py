"""What a sample shows to people: a text for the terminal and for tables, and HTML for pages."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TINT: Final = "40"  # the opacity of a label's colour behind text, in hexadecimal: readable on white and black
DPI: Final = 80  # pixels for each inch of a figure's size


@dataclass(frozen=True)
class Exhibit(ABC):
    """One thing that a sample shows.

    Attributes:
        text: Its plain form; empty of what is a drawing only.
    """

    text: str

    @property
    @abstractmethod
    def html(self) -> str | None:
        """A fragment that stands by itself, without scripts, style sheets or outside resources.

        None where the text is all there is to see.
        """


@final
@dataclass(frozen=True)
class Text(Exhibit):
    """A text and no more.

    Example:
        >>> Text("a < b").html is None
        True
    """

    @property
    def html(self) -> None:
        """None."""
        return None


@final
@dataclass(frozen=True)
class Spans(Exhibit):
    """A text in pieces, those that have a label coloured by it.

    Attributes:
        pieces: Each with its label; empty for a piece that has none. A piece that is its label says it once.
        colours: Of each label, ``#rrggbb``; see :mod:`rnnx.core.exhibits.palettes`.

    Example:
        >>> Spans("[PER Ada] ran", [("Ada", ""), ("ran", "")], {}).html
        '<span dir="auto">Ada ran</span>'
    """

    pieces: Sequence[tuple[str, str]]
    colours: Mapping[str, str]

    @property
    def html(self) -> str:
        """The pieces with blanks between them."""
        shown = [
            marked(escape(piece), "" if piece == label else label, self.colours[label])
            if label
            else escape(piece)
            for piece, label in self.pieces
        ]
        return f'<span dir="auto">{" ".join(shown)}</span>'


@final
@dataclass(frozen=True)
class Drawing(Exhibit):
    """A figure of matplotlib's, drawn when it is looked at first.

    Attributes:
        alt: What is to be seen, in words.
        draw: Makes the figure.

    Example:
        >>> from matplotlib.figure import Figure
        >>> Drawing("", "a & b", lambda: Figure(figsize=(1, 1))).html[:42]
        '<img src="data:image/png;base64,iVBORw0KGg'
    """

    alt: str
    draw: Callable[[], Figure]

    @cached_property
    def html(self) -> str:
        """The figure as a picture."""
        file = BytesIO()
        self.draw().savefig(file, format="png", dpi=DPI)
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        return f'<img src="{url}" alt="{escape(self.alt)}" style="max-width:100%">'


@final
@dataclass(frozen=True)
class Picture(Exhibit):
    """A picture that is there already; where it is small it is made larger.

    Attributes:
        alt: What is to be seen, in words.
        url: The picture as a ``data:`` URL.

    Example:
        >>> Picture("cat.png", "a cat", "data:image/png;base64,iVBORw0KGg").html
        '<img src="data:image/png;base64,iVBORw0KGg" alt="a cat" style="min-width:10em;max-width:100%;...
    """

    alt: str
    url: str

    @property
    def html(self) -> str:
        """The picture."""
        style = "min-width:10em;max-width:100%;image-rendering:pixelated"
        return f'<img src="{escape(self.url)}" alt="{escape(self.alt)}" style="{style}">'


def marked(content: str, label: str, colour: str) -> str:
    """HTML on a tint of a colour, a label small behind it.

    Args:
        content: HTML.
        label: A text; may be empty.
        colour: ``#rrggbb``.
    """
    style = f"background:{colour}{TINT};border-bottom:2px solid {colour};padding:0 .25em"
    small = f'&nbsp;<small style="opacity:.8;font-size:.7em">{escape(label)}</small>' if label else ""
    return f'<span style="{style}">{content}{small}</span>'
