"""Against the Penn Treebank's conventions, and captions that Flickr8k's authors had split by them."""

from __future__ import annotations

import pytest

from rnnx.tasks.parts.texts.caption_text import words

# what COCO's evaluation removes after the tokeniser
PUNCTUATION = {
    "''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"
}  # fmt: skip

FLICKR = [
    "A child in a pink dress is climbing up a set of stairs in an entry way .",
    "A black dog and a tri-colored dog playing with each other on the road .",
    "A boy making a `` oh ! '' face in front of a bay .",
    "A man 's four-wheeler , no. 23 , is at avrovulcan.com & statefarm.com",
    "A sign in D.C. : number # 1 ; a 4x4 -- muddy -- and 3-wheelers ...",
    "The dogs do n't like a merry-go-round , we ca n't see why ?",
]


@pytest.mark.parametrize("caption", FLICKR)
def test_captions_of_the_tokeniser_lose_their_punctuation_only(caption: str) -> None:
    expected = [word.replace("no.", "no") for word in caption.split() if word not in PUNCTUATION]
    assert words(caption) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # the examples that descriptions of the Penn Treebank's tokens give
        ("children's", "children 's"),
        ("parents' car", "parents car"),
        ("won't", "wo n't"),
        ("can't", "ca n't"),
        ("weren't", "were n't"),
        ("cannot", "can not"),
        ("Gonna", "Gon na"),
        ("I'm he'll they've we're he'd", "I 'm he 'll they 've we 're he 'd"),
        ("ISN'T", "IS N'T"),
        ("1,000,000.50 dollars", "1,000,000.50 dollars"),
        ("at 10:30: two,three", "at 10:30 two three"),
        ("$5 & 50%", "$ 5 & 50 %"),
        ("state-of-the-art technology", "state-of-the-art technology"),
        ("a man--old--and (very) [quiet] {and} <so>", "a man old and very quiet and so"),
        ("the U.S.A. is large.", "the U.S.A. is large"),
    ],
)
def test_captions_are_split_as_in_the_penn_treebank(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog.", "A dog"),
        ("“Stop!” – he said…", "Stop he said"),
        ("the boy’s ball isn’t red", "the boy 's ball is n't red"),
        ("rock 'n' roll, 'quoted' words", "rock n roll quoted words"),
        ("un garçon à l'école ; ¿qué?", "un garçon à l'école qué"),
        ("ein Mädchen fährt Rad.", "ein Mädchen fährt Rad"),
        ("एक कुत्ता दौड़ रहा है", "एक कुत्ता दौड़ रहा है"),  # whose vowel signs are no letters
        ("two\tdogs \n run", "two dogs run"),
        ("cannotwithstand got tattoos", "cannotwithstand got tattoos"),
    ],
)
def test_quotes_dashes_and_other_scripts(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize("text", ["", " ", ". . .", "-- !?", "''", "''' ``", "...", "-.-"])
def test_punctuation_alone_has_no_words(text: str) -> None:
    assert words(text) == []


def test_words_split_before_are_the_same_words() -> None:
    for text in (*FLICKR, "The boy's in the U.S.; isn't he? He cannot (can't) be gonna."):
        once = words(text)
        assert words(" ".join(once)) == once
