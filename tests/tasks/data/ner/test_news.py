"""The grammar of news: what it promises of names, types and cues."""

from __future__ import annotations

from collections import Counter

import pytest

from rnnx.core.data import Split
from rnnx.tasks.data.ner.news import ENDINGS, ENTITIES, NAMES, RULES, news
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.tagged_text import format_bracketed

FIXED = {word for rules in RULES.values() for rule in rules for word in rule.split() if word[0] != "{"}
CAPITALISED = {word[0].upper() + word[1:] for word in FIXED}


@pytest.fixture(scope="module")
def splits() -> dict[Split, list[Sentence]]:
    return news(train=1500, valid=300, test=300, seed=1)


def names(sentences: list[Sentence]) -> set[str]:
    """The words that no rule has."""
    return {word for sentence in sentences for word in sentence.words} - FIXED - CAPITALISED


def test_no_name_of_one_split_is_in_another(splits: dict[Split, list[Sentence]]) -> None:
    train, valid, test = (names(splits[split]) for split in ("train", "valid", "test"))
    assert min(map(len, (train, valid, test))) > 200
    assert len(train | valid | test) == len(train) + len(valid) + len(test)


def test_all_other_words_occur_in_training(splits: dict[Split, list[Sentence]]) -> None:
    known = {word.lower() for sentence in splits["train"] for word in sentence.words}
    for split in ("valid", "test"):
        words = {word for sentence in splits[split] for word in sentence.words} - names(splits[split])
        assert {word.lower() for word in words} <= known


def test_every_name_is_in_an_entity(splits: dict[Split, list[Sentence]]) -> None:
    invented = names(splits["train"])
    for sentence in splits["train"]:
        inside = {place for one in sentence.entities for place in range(one.start, one.stop)}
        for place, word in enumerate(sentence.words):
            assert word not in invented or place in inside, format_bracketed(*sentence)
        assert sentence.entities


def test_entities_stand_from_left_to_right_and_apart(splits: dict[Split, list[Sentence]]) -> None:
    for sentence in splits["train"]:
        edges = [place for entity in sentence.entities for place in (entity.start, entity.stop)]
        assert edges == sorted(edges)
        assert edges[-1] <= len(sentence.words)
        assert all(entity.start < entity.stop for entity in sentence.entities)


def test_one_word_is_the_name_of_several_types(splits: dict[Split, list[Sentence]]) -> None:
    types: dict[str, set[str]] = {}
    for sentence in splits["train"]:
        for entity in sentence.entities:
            if entity.stop == entity.start + 1:
                types.setdefault(sentence.words[entity.start], set()).add(entity.type)
    assert sum(len(found) > 1 for found in types.values()) > 20


def test_names_are_nested_in_names_of_another_type(splits: dict[Split, list[Sentence]]) -> None:
    """A surname in a street or a foundation, a town in a bank."""
    found = Counter(
        (entity.type, kind)
        for sentence in splits["train"]
        for entity in sentence.entities
        for word in sentence.words[entity.start : entity.stop]
        for kind, endings in ENDINGS.items()
        if word.endswith(endings)
    )
    assert min(found[pair] for pair in (("LOC", "surname"), ("ORG", "surname"), ("ORG", "town"))) > 20
    assert found["PER", "town"] == 0


def test_words_of_names_are_about_that_name_nothing(splits: dict[Split, list[Sentence]]) -> None:
    inside, outside = Counter[str](), Counter[str]()
    for sentence in splits["train"]:
        named = {place for one in sentence.entities for place in range(one.start, one.stop)}
        for place, word in enumerate(sentence.words):
            (inside if place in named else outside)[word.lower()] += 1
    for word in ("bank", "street", "university", "foundation", "union", "port", "of", "and"):
        assert inside[word] > 5, word
        assert outside[word] > 5, word


def test_the_types_are_balanced(splits: dict[Split, list[Sentence]]) -> None:
    counts = Counter(entity.type for sentence in splits["test"] for entity in sentence.entities)
    assert set(counts) == set(ENTITIES.values())
    assert min(counts.values()) > counts.total() / 5


def test_the_same_seed_gives_the_same_and_another_gives_others() -> None:
    assert news(20, 5, 5, seed=3) == news(20, 5, 5, seed=3)
    assert news(20, 5, 5, seed=3)["test"] != news(20, 5, 5, seed=4)["test"]


def test_no_sentence_of_one_split_is_in_another(splits: dict[Split, list[Sentence]]) -> None:
    texts = [{" ".join(sentence.words) for sentence in sentences} for sentences in splits.values()]
    assert len(set().union(*texts)) == sum(map(len, texts))


def test_every_symbol_has_a_rule_or_is_a_name() -> None:
    symbols = {
        word[1:-1] for rules in RULES.values() for rule in rules for word in rule.split() if word[0] == "{"
    }
    assert symbols | {"sentence"} == set(RULES) | set(NAMES)
    assert set(ENTITIES) <= set(RULES)
