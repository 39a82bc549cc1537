"""ROUGE-L against published examples, hand calculation, and COCO's own evaluation."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from rnnx.tasks.parts.scores.rouge import _common, rouge_l

SENTENCES = {  # what Rouge of pycocoevalcap 1.2 says of them, beta 1.2
    ("a dog runs on the grass", "a brown dog runs through the grass|the dog is running on green grass"): (
        0.7587064677
    ),
    (
        "two men ride a red bicycle on the road",
        "two men are riding a red bicycle|two people on a bicycle ride along the road",
    ): 0.6394129979,
    ("a a a a dog", "a dog sleeps on a couch|a sleepy dog"): 0.5236051502,
    ("a child with a kite", "a child flies a kite on the beach|a boy with a kite"): 0.8,
    (
        "a man is speaking",
        "a man speaks|someone speaks|a man is speaking while a bird is chirping in the background",
    ): 0.7721518987,
    ("rain falls", "rain is falling hard on a surface"): 0.201986755,
    ("", "a man sits on a bench"): 0.0,
    ("snow", "snow|a mountain covered with snow"): 1.0,
}


@pytest.mark.parametrize(("pair", "expected"), SENTENCES.items(), ids=[pair[0] for pair in SENTENCES])
def test_it_is_cocos(pair: tuple[str, str], expected: float) -> None:
    references = [text.split() for text in pair[1].split("|")]
    assert rouge_l(pair[0].split(), references) == pytest.approx(expected, abs=1e-9)


def test_the_examples_of_lin_2004() -> None:
    """Section 3.1: S2 has "police ... the gunman" of S1, S3 "the gunman" only; beta does not matter here."""
    reference = [["police", "killed", "the", "gunman"]]
    assert rouge_l(["police", "kill", "the", "gunman"], reference) == pytest.approx(3 / 4)
    assert rouge_l(["the", "gunman", "kill", "police"], reference) == pytest.approx(2 / 4)
    assert rouge_l(["the", "gunman", "police", "killed"], reference) == pytest.approx(2 / 4)  # S4


def test_recall_weighs_more_by_hand() -> None:
    """2 of 2 words, and of 4: (1 + 1.44) * 1 * 0.5 / (0.5 + 1.44 * 1); and the other way round."""
    short, long = ["a", "c"], ["a", "b", "c", "d"]
    assert rouge_l(short, [long]) == pytest.approx(2.44 * 0.5 / 1.94)
    assert rouge_l(long, [short]) == pytest.approx(2.44 * 0.5 / (1 + 1.44 * 0.5))


def test_precision_and_recall_may_be_of_two_references() -> None:
    """All words of the first are in it, and all of its words in the second."""
    assert rouge_l(["a", "b"], [["a"], ["a", "x", "b", "y"]]) == pytest.approx(1.0)
    assert rouge_l(["a", "b"], [["x"], []]) == 0.0


def test_the_common_subsequence_is_the_longest_of_all() -> None:
    """Enumerated: the longest of the subsequences that both have."""

    def all_of(words: tuple[str, ...]) -> set[tuple[str, ...]]:
        return {part for n in range(len(words) + 1) for part in combinations(words, n)}

    texts = [text for n in range(5) for text in product("ab", repeat=n)] + [tuple("abcab"), tuple("cbaac")]
    for one, other in product(texts, repeat=2):
        assert _common(one, other) == max(map(len, all_of(one) & all_of(other)))
