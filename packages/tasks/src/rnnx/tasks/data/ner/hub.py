"""Sentences with named entities from the Hugging Face hub, or from local parquet or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.ner.annotations import Annotations, Draft, Source
from rnnx.tasks.parts.files.faults import Faults
from rnnx.tasks.parts.files.hub import read_lists
from rnnx.tasks.parts.files.on_hub import OnHub


@final
@dataclass(kw_only=True, eq=False)
class Hub(OnHub, Annotations):
    """Any data set of the ``datasets`` library with a column of words and one of their tags.

    Such as ``lhoestq/conll2003``. Both columns hold a list in each row; tags may be classes with names.
    Errors count rows from 1.

    Args:
        words: The column of the words.
        tags: The column of the tags.
    """

    words: str = "tokens"
    tags: str = "ner_tags"

    def source(self, split: Split) -> Source:
        words, tags = read_lists(self.hub_split(split), {"words": self.words, "tags": self.tags})
        faults = Faults(str(self.hub_split(split)), self.skip)
        drafts = []
        for row, (some, theirs) in enumerate(zip(words, tags, strict=True), 1):
            with faults:
                drafts.append(_draft(faults, row, some, theirs))
        return Source(len(words), drafts, faults, "data.tags")


def _draft(faults: Faults, row: int, words: list[str], tags: list[str]) -> Draft:
    if not words or len(words) != len(tags):
        raise InputError(
            faults.path,
            f"expected one word or more and as many tags, got {len(words)} and {len(tags)}",
            row,
        )
    odd = next((word for word in words if not word or set(word) & set(" \t\r\n")), None)
    if odd is not None:
        raise InputError(faults.path, f"expected words without blanks, got {odd!r}", row)
    return Draft(words, tags, [row] * len(words))
