"""The words of a caption, as COCO's evaluation has them (Chen et al. 2015): without its punctuation."""

from __future__ import annotations

import re
from typing import Final

MARKS: Final = re.compile(
    r"""["“”„«»`()\[\]{}<>;!?¿¡…—–]|--+|\.{2,}|''+ # wherever they stand
    |(?<!\d)[,:]|[,:](?!\d)  # but not in 2,000 and 10:30
    """,
    re.VERBOSE,
)
SIGNS: Final = re.compile(r"([#$%&*£€])")  # words by themselves
CLITIC: Final = re.compile(r"n't|'(?:s|m|d|re|ve|ll)", re.IGNORECASE)
ENDING: Final = re.compile(rf"(?<=\w)({CLITIC.pattern})(?!\w)", re.IGNORECASE)
FUSED: Final = re.compile(r"\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b", re.IGNORECASE)
INITIALS: Final = re.compile(r"(?:[^\W\d_]\.){2,}")  # D.C.
EDGES: Final = ".'-"  # no part of a word that they are first or last of


def words(text: str) -> list[str]:
    r"""Splits a caption into words and leaves its punctuation out; the case stays.

    So do the Stanford tokeniser and COCO's list of punctuation, but for rare cases: of an abbreviation such
    as ``Mr.`` the full stop is taken off here. A caption split before gives the same words again.

    Args:
        text: One caption, split into words before or not.

    Example:
        >>> words('A man\'s T-shirt, "Red Light", isn\'t red.')
        ['A', 'man', "'s", 'T-shirt', 'Red', 'Light', 'is', "n't", 'red']
    """
    text = MARKS.sub(" ", text.replace("’", "'"))
    text = FUSED.sub(lambda found: " ".join(filter(None, found.groups())), SIGNS.sub(r" \1 ", text))
    parts = ENDING.sub(r" \1", text).split()
    whole = (CLITIC, INITIALS)
    trimmed = (part if any(kind.fullmatch(part) for kind in whole) else part.strip(EDGES) for part in parts)
    return [part for part in trimmed if part]
