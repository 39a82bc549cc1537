from __future__ import annotations

import pytest

from rnnx.tasks.parts.texts.tagged_text import (
    coloured,
    format_bracketed,
    format_columns,
    format_tagged,
    parse_tagged,
)
from rnnx.tasks.parts.texts.tags import Entity

WORDS = ["Ada", "Lovelace", "met", "Bo", "in", "1/2", "Ely"]
FOUND = [Entity(0, 2, "PER"), Entity(3, 4, "PER"), Entity(5, 6, "x-y"), Entity(6, 7, "x-y")]
LINE = "Ada/B-PER Lovelace/I-PER met/O Bo/B-PER in/O 1/2/B-x-y Ely/B-x-y"


def test_a_line_is_written_and_read_back() -> None:
    assert format_tagged(WORDS, FOUND) == LINE
    assert parse_tagged(LINE) == (WORDS, FOUND)


def test_a_slash_may_stand_in_a_word_and_in_a_type() -> None:
    words = ["Ada", "x/B-PER", "and/or", "A3/E30", "/"]
    found = [Entity(0, 1, "artist/author"), Entity(3, 5, "road/railway/transit")]
    line = "Ada/B-artist/author x/B-PER/O and/or/O A3/E30/B-road/railway/transit //I-road/railway/transit"
    assert format_tagged(words, found) == line
    assert parse_tagged(line) == (words, found)


def test_a_word_without_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a word, a slash and a tag, such as Ada/B-PER, got 'Bo'"):
        parse_tagged("Ada/B-PER Bo")


def test_columns_are_a_word_and_its_tag_and_end_with_an_empty_line() -> None:
    assert format_columns(WORDS, FOUND) == "".join(
        f"{word} {tag}\n"
        for word, tag in zip(WORDS, ["B-PER", "I-PER", "O", "B-PER", "O", "B-x-y", "B-x-y"], strict=True)
    )


def test_brackets_keep_neighbours_apart() -> None:
    assert format_bracketed(WORDS, FOUND) == "[PER Ada Lovelace] met [PER Bo] in [x-y 1/2] [x-y Ely]"
    assert format_bracketed(["a", "b"], []) == "a b"


@pytest.mark.parametrize("write", [format_tagged, format_bracketed, format_columns])
def test_no_words_are_no_text(write: object) -> None:
    assert callable(write)
    assert write([], []) == ""


def test_entities_are_coloured_and_the_words_between_are_not() -> None:
    colours = {"PER": "#0072b2", "x-y": "#e69f00"}
    shown = coloured(WORDS, FOUND, colours)
    assert shown.text == format_bracketed(WORDS, FOUND)
    assert shown.pieces == [
        ("Ada Lovelace", "PER"),
        ("met", ""),
        ("Bo", "PER"),
        ("in", ""),
        ("1/2", "x-y"),
        ("Ely", "x-y"),
    ]
    assert shown.colours == colours
    assert coloured(["Ada"], [], colours).pieces == [("Ada", "")]
