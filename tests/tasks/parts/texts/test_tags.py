"""Tags against all the ways to name things in a short sentence, written by each scheme's definition."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from rnnx.tasks.parts.texts.tags import (
    OUTSIDE,
    PREFIXES,
    TAG,
    Entity,
    Scheme,
    Tag,
    breaks,
    detect,
    entities,
    inventory,
    legal,
    tags_of,
)

LENGTH = 4
TYPES = ("PER", "x-y")
EVERY = [OUTSIDE, *(Tag(prefix, type) for prefix in "BIES" for type in TYPES)]

each_scheme = pytest.mark.parametrize("scheme", PREFIXES)


def annotations(length: int, start: int = 0) -> Iterator[list[Entity]]:
    """Every way to name things in the words from a place on."""
    if start == length:
        yield []
        return
    yield from annotations(length, start + 1)
    for stop, type in product(range(start + 1, length + 1), TYPES):
        for others in annotations(length, stop):
            yield [Entity(start, stop, type), *others]


def defined(found: list[Entity], length: int, scheme: Scheme) -> list[str]:
    """The tags by the schemes' definitions (Ramshaw & Marcus 1995; Tjong Kim Sang & Veenstra 1999)."""
    tags = ["O"] * length
    for entity in found:
        for place in range(entity.start, entity.stop):
            first, last = place == entity.start, place == entity.stop - 1
            touched = any(other.stop == entity.start and other.type == entity.type for other in found)
            prefix = {
                "iob1": "B" if first and touched else "I",
                "iob2": "B" if first else "I",
                "iobes": "S" if first and last else "B" if first else "E" if last else "I",
            }[scheme]
            tags[place] = f"{prefix}-{entity.type}"
    return tags


@each_scheme
def test_entities_are_written_and_read_back(scheme: Scheme) -> None:
    for found in annotations(LENGTH):
        tags = tags_of(found, LENGTH, scheme)
        assert [str(tag) for tag in tags] == defined(found, LENGTH, scheme)
        assert entities(tags) == found


@each_scheme
def test_what_no_entities_are_written_as_breaks_the_scheme(scheme: Scheme) -> None:
    """Of all 9^4 sequences of tags of all schemes."""
    allowed = {tuple(defined(found, LENGTH, scheme)) for found in annotations(LENGTH)}
    assert len(allowed) > 100
    for tags in product(EVERY, repeat=LENGTH):
        broken = any(True for _ in breaks(tags, scheme))
        assert broken != (tuple(map(str, tags)) in allowed), tags


@each_scheme
def test_the_inventory_is_what_can_be_written(scheme: Scheme) -> None:
    written = {tag for found in annotations(3) for tag in tags_of(found, 3, scheme)}
    tags = inventory(TYPES, scheme)
    assert tags[0] == OUTSIDE
    assert set(tags) == written
    assert len(tags) == len(written)


@pytest.mark.parametrize(
    ("scheme", "text", "places"),
    [
        ("iob2", "O I-PER", [1]),
        ("iob2", "B-PER I-x-y I-x-y", [1]),
        ("iob2", "S-PER O", [0]),
        ("iob1", "O B-PER I-PER B-x-y", [1, 3]),
        ("iob1", "I-PER B-PER I-x-y", []),
        ("iobes", "B-PER O", [1]),
        ("iobes", "B-PER I-PER", [2]),
        ("iobes", "B-PER E-x-y S-PER", [1]),
        ("iobes", "I-PER E-PER", [0]),
    ],
)
def test_a_break_is_told_where_the_second_tag_is(scheme: Scheme, text: str, places: list[int]) -> None:
    assert list(breaks([Tag.of(tag) for tag in text.split()], scheme)) == places


def test_legal_is_of_two_neighbours() -> None:
    assert legal(Tag("B", "PER"), Tag("I", "PER"), "iob2")
    assert not legal(Tag("B", "PER"), Tag("I", "x-y"), "iob2")
    assert legal(Tag("S", "PER"), Tag("B", "PER"), "iobes")
    assert not legal(Tag("S", "PER"), Tag("E", "PER"), "iobes")


@pytest.mark.parametrize("text", ["O", "B-PER", "S-x-y", "I-ä b", "E--"])
def test_what_a_tag_is(text: str) -> None:
    assert TAG.fullmatch(text)
    assert str(Tag.of(text)) == text


@pytest.mark.parametrize("text", ["", "PER", "B", "B-", "-PER", "o", "b-PER", "L-PER", "OO", "O-PER", "NNP"])
def test_what_no_tag_is(text: str) -> None:
    assert not TAG.fullmatch(text)


@each_scheme
def test_the_scheme_is_detected_in_spite_of_a_slip(scheme: Scheme) -> None:
    found = [[Entity(0, 1, "PER"), Entity(1, 3, "PER"), Entity(4, 5, "x-y")]] * 3
    sentences = [tags_of(each, 5, scheme) for each in found]
    assert detect(sentences) == scheme
    slips: dict[Scheme, str] = {"iob1": "B-PER", "iob2": "I-PER", "iobes": "I-PER"}
    assert detect([*sentences, [OUTSIDE, Tag.of(slips[scheme])]]) == scheme
