"""A sentence with its tree: a line below each phrase, coloured by the phrase's class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final, final

from rnnx.core.exhibits.exhibit import Exhibit, marked
from rnnx.tasks.parts.files.brackets import Tree

UNDERLINED: Final = "display:inline-block;vertical-align:top;padding-bottom:2px;border-bottom:3px solid"
SCROLLED: Final = "display:block;overflow-x:auto;white-space:nowrap"


@final
@dataclass(frozen=True)
class Phrases(Exhibit):
    """A tree as a text, and with colours.

    Attributes:
        tree: Its labels are names of classes.
        colours: Of each class, ``#rrggbb``; a phrase of another label has none.

    Example:
        >>> tree = Tree(["so", "good", ""], ["", "good", "good"], [2, 2, -1])
        >>> Phrases("(1 (? so) (1 good))", tree, {"good": "#0072b2"}).html.count("solid transparent")
        1
    """

    tree: Tree
    colours: Mapping[str, str]

    @property
    def html(self) -> str:
        """Words with the lines below them, and the class of the whole."""
        inside = [[escape(word)] if word else [] for word in self.tree.words]
        for number, (label, parent) in enumerate(zip(self.tree.labels, self.tree.parents, strict=True)):
            style = f"{UNDERLINED} {self.colours.get(label, 'transparent')}"
            phrase = f'<span style="{style}" title="{escape(label)}">{" ".join(inside[number])}</span>'
            inside[parent].append(phrase)
        root = self.tree.labels[-1]
        whole = marked(escape(root), "", self.colours[root]) if root in self.colours else ""
        return f'<span dir="auto" style="{SCROLLED}">{phrase} {whole}</span>'
