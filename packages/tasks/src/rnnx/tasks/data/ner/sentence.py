"""A sentence and its named entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from rnnx.tasks.parts.texts.tags import Entity


@final
class Sentence(NamedTuple):
    """A sentence, as every source gives it.

    Attributes:
        words: One or more.
        entities: From left to right; none has a word in common with another.
    """

    words: Sequence[str]
    entities: Sequence[Entity]
