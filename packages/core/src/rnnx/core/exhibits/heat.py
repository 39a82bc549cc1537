"""A text whose pieces are coloured by numbers, as in Karpathy, Johnson & Li 2015, figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, final

from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.exhibits.palettes import DIVERGING

OPAQUE: Final = 0.7  # the opacity of a colour at 1 and at -1: text stays readable on it
TEXT: Final = "font-family:monospace;line-height:1.7;white-space:pre-wrap;overflow-wrap:anywhere"
COLUMN: Final = "display:inline-block;vertical-align:top;text-align:center;margin-bottom:.6em"
VISIBLE: Final = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


@final
@dataclass(frozen=True)
class Heat(Exhibit):
    """Pieces of a text, each coloured by a number, and what may stand below each, coloured too.

    Attributes:
        columns: From left to right; each from top to bottom, its pieces with a number from -1, which is
            vermilion, by 0, which is not coloured, to 1, which is blue.

    Example:
        >>> Heat("ab", [[("a", 0.0)], [("b", 1.0)]]).html.count("rgba(0,114,178,0.70)")
        1
    """

    columns: Sequence[Sequence[tuple[str, float]]]

    @property
    def html(self) -> str:
        """The columns, in as many lines as it takes."""
        return f'<div dir="auto" style="{TEXT}">{"".join(map(_column, self.columns))}</div>'


def shown(piece: str) -> str:
    r"""A piece with what would not be seen of it made visible.

    Example:
        >>> shown("a\n"), shown(" ")
        ('a↵', '␣')
    """
    return piece.translate(VISIBLE)


def _column(pieces: Sequence[tuple[str, float]]) -> str:
    (top, _), *below = pieces
    ends = "<br>" if top.endswith("\n") else ""
    if not below:
        return "".join(_cell("span", piece, value, "") for piece, value in pieces) + ends
    cells = "".join(
        _cell("div", piece.replace(" ", "\u00a0"), value, "padding:0 .15em") for piece, value in pieces
    )
    return f'<span style="{COLUMN}">{cells}</span>{ends}'


def _cell(tag: str, piece: str, value: float, style: str) -> str:
    text = escape(piece.replace("\n", "↵"))
    return f'<{tag} title="{value:.3f}" style="background:{_tint(value)};{style}">{text}</{tag}>'


def _tint(value: float) -> str:
    colour = DIVERGING[2 if value > 0 else 0]
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{min(abs(value), 1) * OPAQUE:.2f})"
