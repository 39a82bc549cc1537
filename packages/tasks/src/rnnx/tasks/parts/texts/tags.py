"""Tags of named entities in the schemes IOB1, IOB2 and IOBES, and the entities that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, final

Scheme: TypeAlias = Literal["iob1", "iob2", "iobes"]

TAG: Final = re.compile(r"O|[BIES]-.+")
PREFIXES: Final[dict[Scheme, tuple[str, ...]]] = {
    "iob2": ("B", "I"),
    "iob1": ("B", "I"),
    "iobes": ("B", "I", "E", "S"),
}
RULES: Final[dict[Scheme, str]] = {
    "iob2": "each entity begins with B- and goes on with I-",
    "iob1": "each entity is of I- tags, and begins with B- only right after one of its type",
    "iobes": "an entity is B- I- ... E-, or S- by itself",
}


@final
class Entity(NamedTuple):
    """Some words in a row that name something.

    Attributes:
        start: Place of the first word, from 0.
        stop: Place after the last one.
        type: What is named.
    """

    start: int
    stop: int
    type: str


@final
class Tag(NamedTuple):
    """Where in an entity a word is.

    Attributes:
        prefix: ``O`` outside of all; ``B`` at the beginning, ``I`` inside, ``E`` at the end, ``S`` single.
        type: Of the entity; empty outside.

    Example:
        >>> Tag.of("I-creative-work"), str(Tag("B", "PER")), str(OUTSIDE)
        (Tag(prefix='I', type='creative-work'), 'B-PER', 'O')
    """

    prefix: str
    type: str = ""

    @classmethod
    def of(cls, text: str) -> Tag:
        """The tag as it is written, ``PREFIX-TYPE`` or ``O``; see :data:`TAG`."""
        prefix, _, type = text.partition("-")
        return cls(prefix, type)

    def __str__(self) -> str:
        return f"{self.prefix}-{self.type}" if self.type else self.prefix


OUTSIDE: Final = Tag("O")


def continues(before: Tag, tag: Tag) -> bool:
    """Whether a word is in the entity of the word before it, by conlleval's rule, in whatever scheme.

    So any sequence of tags stands for some entities, also one that breaks its scheme.
    """
    return tag.prefix in ("I", "E") and before.prefix in ("B", "I") and tag.type == before.type


def entities(tags: Iterable[Tag]) -> list[Entity]:
    """The entities that tags stand for, as conlleval reads them.

    Example:
        >>> entities(map(Tag.of, ["B-PER", "I-PER", "B-PER", "O", "I-LOC"]))
        [Entity(start=0, stop=2, type='PER'), Entity(start=2, stop=3, type='PER'),
         Entity(start=4, stop=5, type='LOC')]
    """
    found: list[Entity] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if continues(before, tag):
            found[-1] = found[-1]._replace(stop=place + 1)
        elif tag != OUTSIDE:
            found.append(Entity(place, place + 1, tag.type))
        before = tag
    return found


def tags_of(found: Iterable[Entity], length: int, scheme: Scheme) -> list[Tag]:
    """The tags of a sentence.

    Args:
        found: Its entities, from left to right.
        length: Its words.
        scheme: How they are tagged.

    Example:
        >>> two = [Entity(0, 2, "PER"), Entity(2, 3, "PER")]
        >>> [" ".join(map(str, tags_of(two, 4, scheme))) for scheme in PREFIXES]
        ['B-PER I-PER B-PER O', 'I-PER I-PER B-PER O', 'B-PER E-PER S-PER O']
    """
    tags = [OUTSIDE] * length
    for start, stop, type in found:
        begin = "I" if scheme == "iob1" and (start == 0 or tags[start - 1].type != type) else "B"
        tags[start:stop] = [Tag(begin, type), *[Tag("I", type)] * (stop - start - 1)]
        if scheme == "iobes":
            tags[stop - 1] = Tag("S" if stop == start + 1 else "E", type)
    return tags


def inventory(types: Iterable[str], scheme: Scheme) -> list[Tag]:
    """All tags that a scheme has for some types, first the one outside."""
    return [OUTSIDE, *(Tag(prefix, type) for type in types for prefix in PREFIXES[scheme])]


def legal(before: Tag, tag: Tag, scheme: Scheme) -> bool:
    """Whether one tag may follow another. Before the first and after the last word comes the one outside."""
    alike = before.type == tag.type
    match scheme:
        case "iob1":
            return tag.prefix != "B" or alike
        case "iob2":
            return tag.prefix != "I" or alike
        case "iobes":
            unfinished, goes_on = before.prefix in ("B", "I"), tag.prefix in ("I", "E")
            return unfinished == goes_on and (alike or not goes_on)


def breaks(tags: Sequence[Tag], scheme: Scheme) -> Iterator[int]:
    """Where a sentence breaks its scheme: the places of tags that may not be there.

    Its length, the place after the last tag, where it may not end.

    Example:
        >>> list(breaks([Tag("I", "PER"), OUTSIDE, Tag("B", "PER")], "iobes"))
        [0, 1, 3]
    """
    for place, (before, tag) in enumerate(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True)):
        known = tag == OUTSIDE or tag.prefix in PREFIXES[scheme]
        if not known or not legal(before, tag, scheme):
            yield place


def detect(sentences: Sequence[Sequence[Tag]]) -> Scheme:
    """The scheme that sentences break least often.

    Example:
        >>> [detect([[Tag.of(tag), OUTSIDE]]) for tag in ("B-PER", "I-PER", "S-PER")]
        ['iob2', 'iob1', 'iobes']
    """
    return min(PREFIXES, key=lambda scheme: sum(1 for tags in sentences for _ in breaks(tags, scheme)))
