"""Sentences with their named entities, tags in IOB2 within a line or in columns, brackets, or coloured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rnnx.core.exhibits.exhibit import Spans
from rnnx.tasks.parts.texts.tags import TAG, Entity, Tag, entities, tags_of

TAGGED: Final = re.compile(rf"(.*)/({TAG.pattern})")  # a word, and the shortest tag behind it


def format_tagged(words: Sequence[str], found: Sequence[Entity]) -> str:
    """A line, with a tag behind each word.

    Example:
        >>> format_tagged(["Ada", "Lovelace", "ran"], [Entity(0, 2, "PER")])
        'Ada/B-PER Lovelace/I-PER ran/O'
    """
    tags = tags_of(found, len(words), "iob2")
    return " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))


def parse_tagged(text: str) -> tuple[list[str], list[Entity]]:
    """The words and the entities of a line that :func:`format_tagged` gave; both may have a slash.

    Raises:
        ValueError: a word has no tag behind it.

    Example:
        >>> parse_tagged("and/or/O Ada/B-artist/author")
        (['and/or', 'Ada'], [Entity(start=1, stop=2, type='artist/author')])
    """
    words, tags = [], []
    for tagged in text.split(" "):
        found = TAGGED.fullmatch(tagged)
        if found is None:
            raise ValueError(f"expected a word, a slash and a tag, such as Ada/B-PER, got {tagged!r}")
        words.append(found[1])
        tags.append(Tag.of(found[2]))
    return words, entities(tags)


def format_columns(words: Sequence[str], found: Sequence[Entity]) -> str:
    r"""Two columns, the word and its tag, and an empty line after them.

    Example:
        >>> format_columns(["Ada", "ran"], [Entity(0, 1, "PER")])
        'Ada B-PER\nran O\n'
    """
    tags = tags_of(found, len(words), "iob2")
    return "".join(f"{word} {tag}\n" for word, tag in zip(words, tags, strict=True))


def format_bracketed(words: Sequence[str], found: Sequence[Entity]) -> str:
    """A line for people, each entity in brackets.

    Example:
        >>> format_bracketed(["Ada", "Lovelace", "ran"], [Entity(0, 2, "PER")])
        '[PER Ada Lovelace] ran'
    """
    marked = list(words)
    for start, stop, type in found:
        marked[start] = f"[{type} {marked[start]}"
        marked[stop - 1] += "]"
    return " ".join(marked)


def coloured(words: Sequence[str], found: Sequence[Entity], colours: Mapping[str, str]) -> Spans:
    """A sentence with each entity coloured by its type.

    Args:
        words: Of the sentence.
        found: Its entities, in order.
        colours: Of each type, ``#rrggbb``.

    Example:
        >>> coloured(["Ada", "Lovelace", "ran"], [Entity(0, 2, "PER")], {"PER": "#0072b2"}).pieces
        [('Ada Lovelace', 'PER'), ('ran', '')]
    """
    pieces, place = list[tuple[str, str]](), 0
    for start, stop, type in found:
        pieces += ((word, "") for word in words[place:start])
        pieces.append((" ".join(words[start:stop]), type))
        place = stop
    pieces += ((word, "") for word in words[place:])
    return Spans(format_bracketed(words, found), pieces, colours)
