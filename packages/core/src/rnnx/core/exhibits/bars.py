"""Shares of a whole as bars: probabilities of classes, or of what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, final

from rnnx.core.exhibits.exhibit import Exhibit
from rnnx.core.exhibits.palettes import OKABE_ITO

ROW: Final = (
    "display:grid;grid-template-columns:minmax(3em,max-content) 1fr 3.5em;gap:.5em;align-items:center"
)


@final
@dataclass(frozen=True)
class Bars(Exhibit):
    """A bar for each share.

    Attributes:
        shares: What each is called and how much it is, from 0 to 1, from top to bottom.

    Example:
        >>> Bars.of([("pos", 0.75), ("neg", 0.25)]).text
        'pos 0.750, neg 0.250'
    """

    shares: Sequence[tuple[str, float]]

    @classmethod
    def of(cls, shares: Sequence[tuple[str, float]]) -> Bars:
        """The bars, with the text that they come to."""
        return cls(", ".join(f"{name} {share:.3f}" for name, share in shares), shares)

    @property
    def html(self) -> str:
        """A row for each."""
        return f"<div>{''.join(_row(name, share) for name, share in self.shares)}</div>"


def _row(name: str, share: float) -> str:
    bar = f"height:.8em;border-radius:.2em;background:{OKABE_ITO[0]};width:{share:.1%}"
    return (
        f'<div style="{ROW}"><span style="text-align:right;white-space:pre">{escape(name)}</span>'
        f'<span style="{bar}"></span><span>{share:.3f}</span></div>'
    )
