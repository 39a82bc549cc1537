"""Sentences with named entities from the Hugging Face hub, or from local parquet or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.ner.annotations import Annotations, Draft, Source
from rnnx.tasks.parts.faults import Faults
from rnnx.tasks.parts.hub import read_lists


@final
@dataclass(kw_only=True, eq=False)
class Hub(Annotations):
    """Any data set of the ``datasets`` library with a column of words and one of their tags.

    Both hold a list in each row; tags may be classes with names. A single local file has the one split
    ``train``; slices such as ``train[:90%]`` make three of it. Errors count rows from 1.

    Args:
        path: A hub id such as ``lhoestq/conll2003``, a local folder, or a parquet or JSON file.
        config_name: The configuration, where the data set has several.
        train_split: The split to train on.
        valid_split: The split to validate on.
        test_split: The split to test on.
        words: The column of the words.
        tags: The column of the tags.
    """

    path: str
    config_name: str | None = None
    train_split: str = "train"
    valid_split: str = "validation"
    test_split: str = "test"
    words: str = "tokens"
    tags: str = "ner_tags"

    def source(self, split: Split) -> Source:
        option = f"{split}_split"
        name: str = getattr(self, option)
        columns = {"words": self.words, "tags": self.tags}
        words, tags = read_lists(self.path, self.config_name, (option, name), columns)
        faults = Faults(f"{self.path} ({name})", self.skip)
        drafts = []
        for row, (some, theirs) in enumerate(zip(words, tags, strict=True), 1):
            with faults:
                drafts.append(_draft(faults, row, some, theirs))
        return Source(len(words), drafts, faults)


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
