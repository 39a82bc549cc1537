"""Texts, or trees of them, in three splits."""

from __future__ import annotations

from typing import Final, NamedTuple, final

from rnnx.core.data import Split
from rnnx.tasks.parts.files.brackets import Tree

FIVE: Final = ["very negative", "negative", "neutral", "positive", "very positive"]  # labels 0 to 4


@final
class LabelledText(NamedTuple):
    """A text with its label.

    Attributes:
        text: The text.
        label: The name of its class.
        tree: Its tree, if it has one, each label the name of a class, or anything else where there is none.
    """

    text: str
    label: str
    tree: Tree | None = None


@final
class Corpus(NamedTuple):
    """What a source gives.

    Attributes:
        classes: The names of the classes, in the order of their numbers.
        texts: The texts of each split; all have trees, or none has.
    """

    classes: list[str]
    texts: dict[Split, list[LabelledText]]
