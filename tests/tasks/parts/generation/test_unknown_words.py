from __future__ import annotations

import torch

from rnnx.tasks.parts.generation.search import Hypothesis
from rnnx.tasks.parts.generation.unknown_words import with_source_words
from rnnx.tasks.parts.texts.vocabulary import Vocabulary

WORDS = Vocabulary.train(["a cat sees"], "word")
A, CAT, SEES = WORDS.encode(["a cat sees"])[0]


def test_the_end_and_the_padding_of_the_source_are_no_words() -> None:
    looks = torch.tensor([[0.1, 0.2, 0.7, 0.0], [0.2, 0.1, 0.3, 0.4], [0.5, 0.5, 0.0, 0.0]])
    found = Hypothesis([WORDS.unk, A, WORDS.unk], 0.0, 0.0, looks)
    assert with_source_words(found, WORDS, ["Ana", "ve"]) == "ve a Ana"  # of equals the first


def test_a_text_without_the_unknown_word_is_that_of_its_vocabulary() -> None:
    found = Hypothesis([CAT, SEES], 0.0, 0.0, torch.ones(2, 3))
    assert with_source_words(found, WORDS, ["x", "y"]) == WORDS.decode([CAT, SEES]) == "cat sees"


def test_a_text_of_nothing_is_empty() -> None:
    assert with_source_words(Hypothesis([], 0.0, 0.0, None), WORDS, []) == ""
    assert with_source_words(Hypothesis([], 0.0, 0.0, torch.empty(0, 3)), WORDS, ["x"]) == ""
