"""What is said is right, by a dictionary of the forms and by rules of both languages."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from rnnx.tasks.data.nmt.grammar.lexicon import ADJECTIVES, NOUNS, VERBS
from rnnx.tasks.data.nmt.grammar.speaker import Speaker
from tests.tasks.data.nmt.grammar.dictionary import (
    ADJECTIVES_OF,
    ALL_ADJECTIVES,
    ALL_DETERMINERS,
    DETERMINERS,
    NOUN_OF,
)


@pytest.fixture(scope="module")
def sample() -> list[tuple[str, str]]:
    speaker = Speaker(random.Random(11))
    return [(said.spanish, said.english) for said in (speaker.sentence() for _ in range(30_000))]


def test_articles_and_adjectives_agree_with_their_noun(sample):
    checked = 0
    for spanish, _ in sample:
        tokens = ["", *spanish.split(), ""]
        for before, noun, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if (shape := NOUN_OF.get(noun)) is None:
                continue
            if before in ALL_DETERMINERS:
                stressed = noun in ("agua", "águila") and before in ("el", "un", "al", "del")
                assert stressed or before in DETERMINERS[shape].split(), spanish
                assert stressed or noun not in ("agua", "águila") or before not in ("la", "una"), spanish
                checked += 1
            if after in ALL_ADJECTIVES:
                assert after in ADJECTIVES_OF[shape], spanish
                checked += 1
    assert checked > 60_000


def test_every_word_for_a_noun_or_an_adjective_is_in_the_dictionary(sample):
    """So that the check of agreement looks at all of them."""
    heard = {word for spanish, _ in sample for word in spanish.split()}
    assert heard.issuperset(NOUN_OF)
    assert {noun.spanish for nouns in NOUNS.values() for noun in nouns} <= NOUN_OF.keys()
    assert {adjective.spanish for adjective in ADJECTIVES} <= ALL_ADJECTIVES


def test_no_contraction_is_forgotten(sample):
    for spanish, english in sample:
        for wrong in (" a el ", " de el ", " y i", " la agua", " una águila", " la águila"):
            assert wrong not in f" {spanish} ", spanish
        tokens = english.split()
        for article, word in pairwise(tokens):
            assert article != "a" or word[0] not in "aeiou", english
            assert article != "an" or word[0] in "aeiou", english


def test_english_verbs_agree_with_he_and_she(sample):
    said = {v for verb in VERBS for v in verb.english.replace(" for", "").split(", ")}
    base = {verb.english.split(", ")[0].removesuffix(" for") for verb in VERBS} - {"read"}
    for _, english in sample:
        tokens = english.split()
        for subject, verb in pairwise(tokens):
            if subject in ("he", "she"):
                assert verb not in base | {"am", "are", "do"}, english
                assert verb in said | {"is", "does", "did"}, english
            if subject in ("i", "we", "they") and verb in said | {"is", "does"}:
                assert not verb.endswith("s"), english


def test_a_spanish_sentence_has_one_english_sentence(sample):
    english_of: dict[str, str] = {}
    for spanish, english in sample:
        assert english_of.setdefault(spanish, english) == english, spanish
    assert len(english_of) < len(sample)  # some came twice, so something was compared


def test_what_could_be_present_or_past_has_its_time_said(sample):
    """*compramos* and its like, found by their form."""
    alike = {"compramos", "abrimos", "limpiamos", "buscamos", "saludamos", "ayudamos", "dormimos"}
    alike |= {"cantamos", "bailamos"}
    found = [spanish.split() for spanish, _ in sample if alike.intersection(spanish.split())]
    assert found
    assert all({"ahora", "ayer", "anoche"}.intersection(tokens) for tokens in found)
