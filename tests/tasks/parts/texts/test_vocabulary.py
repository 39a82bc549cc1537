from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnx.core.errors import InputError
from rnnx.tasks.parts.texts.vocabulary import BOS, EOS, PAD, UNK, Level, Vocabulary

LINES = ["the cat sat", "the  dog sat .", "a cat"]
words = st.text(st.characters(exclude_characters="\t\n\r ", exclude_categories=["Cs"]), min_size=1)
anything = st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"]))


def test_words_are_numbered_by_frequency_and_then_by_spelling() -> None:
    vocabulary = Vocabulary.train(LINES, "word")
    assert vocabulary.tokens == [PAD, UNK, BOS, EOS, "cat", "sat", "the", ".", "a", "dog"]
    assert (vocabulary.pad, vocabulary.unk, vocabulary.bos, vocabulary.eos) == (0, 1, 2, 3)
    assert len(vocabulary) == 10


def test_words_encode_by_hand() -> None:
    vocabulary = Vocabulary.train(LINES, "word")
    assert vocabulary.encode(["a cat  bit the\tdog", "", " "]) == [[8, 4, 1, 6, 9], [], []]
    assert vocabulary.decode([2, 8, 4, 1, 3, 0]) == "a cat <unk>"


def test_rare_words_are_unknown() -> None:
    vocabulary = Vocabulary.train(LINES, "word", min_frequency=2)
    assert vocabulary.tokens[4:] == ["cat", "sat", "the"]
    assert vocabulary.encode(["the dog"]) == [[6, 1]]


@pytest.mark.parametrize("size", [5, 7])
def test_the_size_is_a_cap_on_words_and_specials_together(size: int) -> None:
    whole = Vocabulary.train(LINES, "word").tokens
    assert Vocabulary.train(LINES, "word", size=size).tokens == whole[:size]


def test_unk_in_the_text_is_the_unknown_word_and_is_not_doubled() -> None:
    vocabulary = Vocabulary.train(["b <unk> a <unk>"], "word", size=4, specials=(UNK, EOS))
    assert vocabulary.tokens == [UNK, EOS, "a", "b"]
    assert vocabulary.encode(["<unk> c a"]) == [[0, 0, 2]]


@pytest.mark.parametrize("forged", [PAD, BOS, EOS])
def test_text_cannot_forge_a_control_token(forged: str) -> None:
    vocabulary = Vocabulary.train([f"a {forged} b"], "word")
    assert vocabulary.encode([f"a {forged}"]) == [[vocabulary.tokens.index("a"), vocabulary.unk]]


def test_only_blanks_separate_words() -> None:
    vocabulary = Vocabulary.train(["8\u00a01/2 a\u2028b\x85c"], "word")
    assert sorted(vocabulary.tokens[4:]) == ["8\u00a01/2", "a\u2028b\x85c"]


@given(st.lists(st.lists(words), min_size=1))
def test_words_come_back_separated_by_one_blank(lines: list[list[str]]) -> None:
    text = ["  ".join(line) for line in lines]
    vocabulary = Vocabulary.train(text, "word", specials=(UNK,))
    assert [vocabulary.decode(ids) for ids in vocabulary.encode(text)] == [" ".join(line) for line in lines]


@given(st.lists(anything, min_size=1))
def test_characters_come_back_exactly(lines: list[str]) -> None:
    vocabulary = Vocabulary.train(lines, "char", specials=())
    assert set(vocabulary.tokens) == set("".join(lines))
    encoded = vocabulary.encode(lines)
    assert [len(ids) for ids in encoded] == [len(line) for line in lines]
    assert [vocabulary.decode(ids) for ids in encoded] == lines


@given(st.lists(anything, min_size=1))
def test_subwords_come_back_exactly(lines: list[str]) -> None:
    vocabulary = Vocabulary.train(lines, "bpe")
    assert [vocabulary.decode(ids) for ids in vocabulary.encode(lines)] == lines


def test_special_names_in_a_line_of_subwords_are_spelt_out() -> None:
    lines = ["a </s> <unk> x<pad>y", "<eos>"]
    vocabulary = Vocabulary.train(lines, "bpe", size=60)
    encoded = vocabulary.encode(lines)
    assert not {0, 1, 2, 3}.intersection(*encoded)
    assert [vocabulary.decode(ids) for ids in encoded] == lines


def test_subwords_are_merged_by_frequency() -> None:
    # pairs by hand: (a, b) 4 times, then (▁, ab) 3 times; the alphabet is ▁ a b x
    vocabulary = Vocabulary.train(["ab ab ab xab"], "bpe", size=6 + 1, specials=(UNK,))
    assert sorted(vocabulary.tokens[1:5]) == ["a", "b", "x", "▁"]
    assert vocabulary.tokens[5:] == ["ab", "▁ab"]
    tokens = [vocabulary.tokens[number] for number in vocabulary.encode(["ab xab"])[0]]
    assert tokens == ["▁ab", "▁", "x", "ab"]


def test_the_size_is_a_cap_on_subwords_too() -> None:
    lines = [f"word{n} other{n * n}" for n in range(50)]
    assert len(Vocabulary.train(lines, "bpe", size=40)) == 40


def test_an_unseen_character_is_unknown_or_refused() -> None:
    assert Vocabulary.train(["ab"], "char", specials=(UNK,)).encode(["a€b"]) == [[1, 0, 2]]
    with pytest.raises(InputError, match="the character '€' does not occur in the training text"):
        Vocabulary.train(["ab"], "char", specials=()).encode(["ab", "a€b"])


@pytest.mark.parametrize("level", ["word", "bpe"])
def test_only_characters_can_do_without_unk(level: Level) -> None:
    with pytest.raises(ValueError, match="only characters can do without"):
        Vocabulary.train(["a"], level, specials=(EOS,))


@pytest.mark.parametrize("level", get_args(Level))
def test_lowercase_holds_for_training_and_for_use(level: Level) -> None:
    vocabulary = Vocabulary.train(["DER Hund"], level, lowercase=True)
    assert vocabulary.decode(vocabulary.encode(["Der HUND"])[0]) == "der hund"


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("lowercase", [False, True])
def test_json_holds_everything(level: Level, lowercase: bool) -> None:
    one = Vocabulary.train(LINES, level, lowercase=lowercase)
    other = Vocabulary.from_plain(json.loads(json.dumps(one.to_plain())))
    unseen = ["The rat  sat", "", "<unk> <pad>"]
    assert other.tokens == one.tokens
    assert (other.pad, other.unk, other.bos, other.eos) == (0, 1, 2, 3)
    assert other.encode(unseen) == one.encode(unseen)
    assert other.decode([2, 5, 6, 3]) == one.decode([2, 5, 6, 3])


@pytest.mark.parametrize("level", get_args(Level))
def test_training_twice_gives_the_same(level: Level) -> None:
    lines = [f"w{n % 7} v{n % 11} u{n % 13}" for n in range(300)]
    assert Vocabulary.train(lines, level).to_plain() == Vocabulary.train(iter(lines), level).to_plain()


def test_more_lines_than_are_encoded_at_once_keep_their_order() -> None:
    lines = [str(n) for n in range(25_001)]
    vocabulary = Vocabulary.train(lines, "word", specials=(UNK,))
    assert [vocabulary.decode(ids) for ids in vocabulary.encode(lines)] == lines


def test_what_differs_between_two_is_told() -> None:
    words = Vocabulary.train(["a b"], "word")
    assert words.difference(Vocabulary.from_plain(words.to_plain())) == ""
    assert words.difference(Vocabulary.train(["a b"], "word", lowercase=True)) == ""
    assert words.difference(Vocabulary.train(["a c"], "word")) == "'b' and 'c' as token 5"
    assert words.difference(Vocabulary.train(["a"], "word")) == "6 tokens of level word and 5 of level word"
    assert words.difference(Vocabulary.train(["c b"], "char")) == "6 tokens of level word and 7 of level char"
