from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import torch

from rnnx.tasks.parts.texts.lexicon import Lexicon, padded_words

SENTENCES = [
    ["The", "cat", "saw", "the", "dog", "in", "1996", "."],
    ["THE", "dog", ",", "42", ",", "ran", "."],
    ["A\u00a01996", "<unk>"],
]


def trained(**options: Any) -> Lexicon:
    return Lexicon.train(SENTENCES, **{"lowercase": True, "zero_digits": True, **options})


def words_of(lexicon: Lexicon, words: list[str]) -> list[str]:
    return [lexicon.words.tokens[number] for number in lexicon.encode(words)[:, 0].tolist()]


def characters_of(lexicon: Lexicon, word: str) -> str:
    _, *numbers = lexicon.encode([word])[0].tolist()
    return lexicon.characters.decode(numbers)


def test_words_are_lower_cased_and_their_characters_are_not() -> None:
    lexicon = trained()
    assert words_of(lexicon, ["tHe", "THE", "Dog"]) == ["the", "the", "dog"]
    assert characters_of(lexicon, "tHE") == "tHE"
    assert words_of(trained(lowercase=False), ["The", "THE", "Dog"]) == ["The", "THE", "<unk>"]


def test_digits_are_one_digit() -> None:
    lexicon = trained()
    assert words_of(lexicon, ["2024", "٤٢", "196"]) == ["0000", "00", "<unk>"]
    assert characters_of(lexicon, "a19") == "a00"
    plain = trained(zero_digits=False)
    assert words_of(plain, ["1996", "2024", "42"]) == ["1996", "<unk>", "42"]
    assert characters_of(plain, "a19") == "a19"


def test_a_word_is_a_word_whatever_is_in_it() -> None:
    lexicon = trained()
    assert words_of(lexicon, ["a\u00a01996", "<unk>", "<pad>", "the dog"]) == [
        "a\u00a00000",
        "<unk>",
        "<unk>",
        "<unk>",
    ]


def test_unknown_characters_are_one_unknown_character() -> None:
    lexicon = trained()
    _, *numbers = lexicon.encode(["cßt"])[0].tolist()
    assert numbers[1] == lexicon.characters.unk
    assert 0 not in numbers


def test_rows_are_padded_to_the_longest_word() -> None:
    encoded = trained().encode(["the", "a", "in"])
    assert encoded.shape == (3, 4)
    assert (encoded == 0).tolist() == [
        [False, False, False, False],
        [False, False, True, True],
        [False, False, False, True],
    ]


def test_of_a_word_without_end_the_beginning_is_read() -> None:
    """Else one such word would make each of its neighbours as long."""
    lexicon = trained()
    assert lexicon.encode(["dog" * 1000, "cat"]).shape == (2, 1 + 100)
    assert characters_of(lexicon, "dog" * 1000) == ("dog" * 1000)[:100]
    assert words_of(lexicon, ["dog" * 1000, "cat"]) == ["<unk>", "cat"]


@pytest.mark.parametrize("lowercase", [False, True])
def test_singletons_are_the_words_from_rare_on(lowercase: bool) -> None:
    lexicon = trained(lowercase=lowercase, zero_digits=False)
    counts = Counter(
        word.lower() if lowercase else word for sentence in SENTENCES for word in sentence if word != "<unk>"
    )
    assert set(lexicon.words.tokens[lexicon.first_singleton :]) == {
        word for word in counts if counts[word] == 1
    }
    assert set(lexicon.words.tokens[2 : lexicon.first_singleton]) == {
        word for word in counts if counts[word] > 1
    }


def test_a_word_spelt_like_padding_is_no_singleton() -> None:
    lexicon = Lexicon.train([["<pad>", "in", "in", "Ely"]], lowercase=False, zero_digits=False)
    assert lexicon.words.tokens[lexicon.first_singleton :] == ["Ely"]


def test_rare_words_can_be_left_out() -> None:
    lexicon = trained(min_frequency=2)
    assert set(lexicon.words.tokens) == {"<pad>", "<unk>", "the", "dog", ".", ","}
    assert lexicon.first_singleton == len(lexicon.words)  # there is no singleton
    assert characters_of(lexicon, "cat") == "cat"


def test_plain_data_is_all_there_is() -> None:
    for options in ({}, {"lowercase": False, "zero_digits": False}):
        lexicon = trained(**options)
        again = Lexicon.from_plain(json.loads(json.dumps(lexicon.to_plain())))
        words = ["The", "DOG", "1996", "2024", "ßx"]
        assert torch.equal(again.encode(words), lexicon.encode(words))
        assert again.first_singleton == lexicon.first_singleton


def test_sentences_are_padded_both_ways() -> None:
    lexicon = trained()
    rows = [lexicon.encode(words) for words in (["in"], ["the", "a"])]
    batch, lengths = padded_words(rows)
    assert lengths.tolist() == [len(row) for row in rows]
    assert batch.shape == (2, 2, 4)
    assert batch[0].tolist() == [[*rows[0][0].tolist(), 0], [0, 0, 0, 0]]
    assert torch.equal(batch[1], rows[1])
