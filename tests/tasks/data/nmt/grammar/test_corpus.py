"""The splits do not leak."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.nmt.grammar.corpus import corpus, held_out
from rnnx.tasks.data.nmt.grammar.forms import forms
from rnnx.tasks.data.nmt.grammar.lexicon import NOUNS, VERBS
from tests.tasks.data.nmt.grammar.dictionary import ADJECTIVE_FORMS, ALL_DETERMINERS, BOTH_GENDERS, NOUN_OF

N = {noun.spanish for nouns in NOUNS.values() for noun in nouns}
V = {verb.spanish for verb in VERBS}


@pytest.fixture(scope="module")
def splits():
    return corpus(train=6000, valid=300, test=400, seed=5)


def test_sizes_are_as_asked(splits):
    assert {name: len(pairs) for name, pairs in splits.items()} == {"train": 6000, "valid": 300, "test": 400}


def test_no_sentence_comes_twice(splits):
    sentences = [spanish for pairs in splits.values() for spanish, _ in pairs]
    assert len(set(sentences)) == len(sentences)


def test_every_word_of_valid_and_test_is_trained_on(splits):
    for side in (0, 1):
        known = {word for pair in splits["train"] for word in pair[side].split()}
        for name in ("valid", "test"):
            assert {word for pair in splits[name] for word in pair[side].split()} <= known


def test_lengths_vary_within_bounds(splits):
    lengths = {len(spanish.split()) for pairs in splits.values() for spanish, _ in pairs}
    assert lengths == set(range(3, 17))
    for pairs in splits.values():
        for spanish, english in pairs:
            assert f"{spanish}{english}" == f"{spanish}{english}".lower()
            assert [" ".join(spanish.split()), " ".join(english.split())] == [spanish, english]


VERB_OF = {form: verb for verb in V for tense in ("present", "past", "gerund") for form in forms(verb, tense)}
VERB_OF |= {verb: verb for verb in V}


def dictionary(table: dict[str, str]) -> dict[str, str]:
    """Every form in a row-by-row table to the one that stands in its place in the first row."""
    first, *rest = (text.split() for text in table.values())
    return {form: head for row in (first, *rest) for form, head in zip(row, first, strict=True)}


ADJECTIVE_OF = dictionary(ADJECTIVE_FORMS) | dictionary(BOTH_GENDERS)


def noun_of(word: str) -> str:
    """A noun's singular, by the dictionary."""
    return next((noun for noun in (word, word[:-1], word[:-2]) if noun in N), word)


def combinations(spanish: str) -> Iterator[tuple[str, str]]:
    """What stands next to each other: noun and adjective, verb and its object; found in the words alone."""
    tokens = spanish.split()
    plain = "que" not in tokens  # a relative clause may end in a noun that the verb after it is not about
    for i, token in enumerate(tokens):
        after = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token in NOUN_OF and after in ADJECTIVE_OF:
            yield ADJECTIVE_OF[after], noun_of(token)
        is_said_of = plain and token in NOUN_OF and after in ("es", "son", "está", "están")
        if is_said_of and tokens[i + 2] in ADJECTIVE_OF:
            yield ADJECTIVE_OF[tokens[i + 2]], noun_of(token)
        if token in VERB_OF:
            rest = [word for word in tokens[i + 1 : i + 4] if word not in ALL_DETERMINERS | {"a"}]
            if rest and rest[0] in NOUN_OF:
                yield VERB_OF[token], noun_of(rest[0])


def test_the_finder_of_combinations_finds_them():
    """It is the judge of the tests below."""
    found = set(combinations("la casa roja es grande y voy a leer las cartas viejas"))
    assert found == {("rojo", "casa"), ("leer", "carta"), ("viejo", "carta")}
    assert set(combinations("los niños están tristes y ven al gato")) == {("triste", "niño"), ("ver", "gato")}


@pytest.mark.parametrize("seed", [5, 6])
def test_held_out_combinations_are_absent_from_training_and_fill_the_test(seed):
    splits = corpus(train=3000, valid=200, test=200, seed=seed)
    held = held_out(random.Random(seed))
    trained = {found for spanish, _ in splits["train"] for found in combinations(spanish)}
    assert len(trained) > 200
    assert trained.isdisjoint(held)
    for name in ("valid", "test"):
        novel = [spanish for spanish, _ in splits[name] if held.intersection(combinations(spanish))]
        assert len(novel) >= 0.5 * len(splits[name])
        assert len(novel) <= 0.7 * len(splits[name])  # the rest is of combinations that are known


def test_every_word_keeps_most_of_its_partners():
    held = held_out(random.Random(3))
    for verb in (verb for verb in VERBS if verb.objects):
        partners = sum(len(NOUNS[kind]) for kind in verb.objects.split())
        kept = partners - sum(word == verb.spanish for word, _ in held)
        assert 0.6 * partners < kept < partners


def test_another_seed_says_and_holds_out_something_else(splits):
    other = corpus(train=6000, valid=300, test=400, seed=4)
    shared = {spanish for spanish, _ in splits["test"]} & {spanish for spanish, _ in other["test"]}
    assert len(shared) < 100
    assert held_out(random.Random(5)) != held_out(random.Random(4))


def test_a_seed_says_the_same_in_every_process():
    """Were a set's order to matter, another hash seed would say something else."""
    program = (
        "import hashlib; from rnnx.tasks.data.nmt.grammar.corpus import corpus;"
        "print(hashlib.sha256(repr(corpus(300, 20, 20, seed=9)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {hashlib.sha256(repr(corpus(300, 20, 20, seed=9)).encode()).hexdigest()}


def test_the_caller_s_random_state_is_left_alone():
    random.seed(1)
    state_before = random.getstate()
    corpus(50, 2, 2, seed=1)
    assert random.getstate() == state_before


def test_sizes_that_cannot_be_filled_are_refused():
    with pytest.raises(UsageError, match="train=0, valid=1, test=0"):
        corpus(train=0, valid=1, test=0, seed=1)
