"""CIDEr-D against published values, hand calculation, and COCO's own evaluation."""

from __future__ import annotations

import math

import pytest

from rnnx.tasks.parts.scores.cider import cider_d

CAPTIONS = [
    "a dog runs on the grass",
    "two men ride a red bicycle on the road",
    "a a a a dog",
    "a child with a kite",
    "the dog jumps over a log in the woods",
    "",
    "snow",
]
REFERENCES = [
    ["a brown dog runs through the grass", "the dog is running on green grass", "a dog plays outside"],
    ["two men are riding a red bicycle", "two people on a bicycle ride along the road"],
    ["a dog sleeps on a couch", "a sleepy dog"],
    [
        "a child flies a kite on the beach",
        "a boy with a kite",
        "a small child holds a kite with a long tail in the wind on the beach",
    ],
    ["the dog jumps over a log in the woods", "a dog leaps over a fallen tree"],
    ["a man sits on a bench", "someone rests on a bench"],
    ["snow", "a mountain covered with snow"],
]


def score(captions: list[str], references: list[list[str]]) -> float:
    return cider_d([text.split() for text in captions], [[t.split() for t in texts] for texts in references])


def test_the_published_example_of_aac_metrics() -> None:
    """The README of aac-metrics 0.5.3 says 0.9614 of both, and 1.3641 and 0.5587 of each."""
    captions = ["a man is speaking", "rain falls"]
    references = [
        ["a man speaks", "someone speaks", "a man is speaking while a bird is chirping in the background"],
        ["rain is falling hard on a surface"],
    ]
    assert score(captions, references) == pytest.approx(0.9614, abs=5e-5)
    assert 2 * score([captions[0], ""], references) == pytest.approx(1.3641, abs=1e-4)
    assert 2 * score(["", captions[1]], references) == pytest.approx(0.5587, abs=1e-4)


def test_it_is_cocos() -> None:
    """Cider of pycocoevalcap 1.2, of the corpus and of each caption, where the others are empty."""
    assert score(CAPTIONS, REFERENCES) == pytest.approx(2.0142492315661, abs=1e-12)
    each = [1.3792592034, 2.4987210377, 0.8743013704, 2.047805971, 5.5079823661, 0.0, 1.7916746723]
    for place, expected in enumerate(each):
        alone = [caption if n == place else "" for n, caption in enumerate(CAPTIONS)]
        assert 7 * score(alone, REFERENCES) == pytest.approx(expected, abs=1e-9)


def test_a_small_case_by_hand() -> None:
    """Every n-gram is in one of two images at most, and weighs L = log 2.

    "b b" and "b": 2 L, clipped to L, times L, over the norms 2 L and L, is 1/2, and "b b" is in no reference;
    "a" and "a c": L times L over L and L times the root of 2. Each is for one n of four, one word too long or
    too short.
    """
    expected = 10 * (1 / 2 + 1 / math.sqrt(2)) / 4 * math.exp(-1 / (2 * 6**2)) / 2
    assert score(["b b", "a"], [["b"], ["a c"]]) == pytest.approx(expected)


def test_what_is_said_of_every_image_counts_nothing() -> None:
    """ "a" is in both; "b" and "a b" count, two n of four."""
    assert score(["a b", "a"], [["a b"], ["a c"]]) == pytest.approx(10 * 2 / 4 / 2)
    assert score(["a b"], [["a b"]]) == 0.0


def test_an_image_counts_once_however_many_say_it() -> None:
    """Two references of one image say "b": it is in one image of two, as before."""
    assert score(["b", "c"], [["b", "b"], ["c"]]) == pytest.approx(10 / 4)
    assert score(["b", "c"], [["b", "x"], ["c"]]) == pytest.approx((10 / 8 + 10 / 4) / 2)
