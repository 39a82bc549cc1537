"""The baseline against the count model on the plain stream of tokens, and its metrics by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch

from rnnx.core.registry import find
from rnnx.tasks.baselines.lm.ngram import NGram
from rnnx.tasks.data.lm.streams import streamed
from rnnx.tasks.parts.kneser_ney import KneserNey
from rnnx.tasks.parts.texts.vocabulary import EOS, UNK, Vocabulary

WORDS = ["the cat sat", "the dog sat on the cat", "a cat", "the dog and the cat ran", "a dog ran"]
VOCABULARY = Vocabulary.train(WORDS, "word", specials=(UNK, EOS))
START = VOCABULARY.eos


def text(lines: int, seed: int) -> tuple[list[int], int]:
    """The tokens of some lines, and how many characters they have."""
    chosen = random.Random(seed).choices(WORDS, k=lines)
    tokens = [token for ids in VOCABULARY.encode(chosen) for token in (*ids, VOCABULARY.eos)]
    return tokens, sum(len(line) + 1 for line in chosen)


TRAIN, _ = text(40, seed=1)
VALID, VALID_CHARACTERS = text(9, seed=2)
TEST, TEST_CHARACTERS = text(14, seed=3)
META: dict[str, Any] = {
    "level": "word",
    "vocabulary": VOCABULARY.to_plain(),
    "start": START,
    "tokens": {"train": len(TRAIN), "valid": len(VALID), "test": len(TEST)},
    "characters": {"train": 0, "valid": VALID_CHARACTERS, "test": TEST_CHARACTERS},
}


@pytest.mark.parametrize(("streams", "length"), [(1, 1000), (1, 4), (7, 4), (7, 1), (1000, 3)])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_it_is_the_count_model_of_the_text_in_reading_order(order: int, streams: int, length: int) -> None:
    baseline = NGram(META, order=order)
    baseline.fit(streamed(TRAIN, streams, length, START))
    model = KneserNey(len(VOCABULARY), order=order)
    model.fit(torch.tensor(TRAIN))

    for split, tokens, characters in (("valid", VALID, VALID_CHARACTERS), ("test", TEST, TEST_CHARACTERS)):
        nats = -sum(model.log_probabilities(torch.tensor(tokens), torch.tensor([START])).tolist())
        found = baseline.evaluate(streamed(tokens, streams, length, START), split)
        assert found == pytest.approx(
            {
                "loss": nats / len(tokens),
                "perplexity": math.exp(nats / len(tokens)),
                "bits_per_character": nats / math.log(2) / characters,
            },
            rel=1e-9,
        )


def test_it_learns_from_order() -> None:
    """On other words in the same order longer n-grams help, and a shuffled text is worth less."""
    losses = {}
    for order in (1, 2, 3):
        baseline = NGram(META, order=order)
        baseline.fit(streamed(TRAIN, 7, 5, START))
        losses[order] = baseline.evaluate(streamed(TEST, 7, 5, START), "test")["loss"]
    assert losses[1] > losses[2] > losses[3]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_its_parameters_are_the_ngrams_that_were_seen(order: int) -> None:
    baseline = NGram(META, order=order)
    baseline.fit(streamed(TRAIN, 7, 4, START))
    padded = [-1] * (order - 1) + TRAIN
    ends = range(order, len(padded) + 1)
    grams = [{tuple(padded[end - k : end]) for end in ends} for k in range(1, order + 1)]
    assert baseline.parameters == sum(map(len, grams))


def test_the_default_is_five_words_and_users_find_it() -> None:
    assert find("baseline", "ngram", task="lm").load() is NGram
    given, default = NGram(META, order=5), NGram(META)
    for baseline in (given, default):
        baseline.fit(streamed(TRAIN, 1, 9, START))
    batches = streamed(TEST, 1, 9, START)
    assert default.evaluate(batches, "test") == given.evaluate(batches, "test")
    assert default.parameters == given.parameters
