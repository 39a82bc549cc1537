"""The generated reviews as data."""

from __future__ import annotations

from rnnx.tasks.data.sentiment.corpus import FIVE
from rnnx.tasks.data.sentiment.reviews import reviews
from rnnx.tasks.data.sentiment.toy import Toy


def test_reviews_have_their_trees_or_are_texts() -> None:
    expected = reviews(30, 5, 4, seed=2)
    for trees in (True, False):
        classes, texts = Toy(trees=trees, train=30, valid=5, test=4, seed=2).corpus()
        assert classes == FIVE
        for split, found in expected.items():
            assert [text.text for text in texts[split]] == [review.text for review in found]
            assert [text.label for text in texts[split]] == [FIVE[review.score + 2] for review in found]
            assert [text.tree for text in texts[split]] == [
                review.tree if trees else None for review in found
            ]


def test_it_is_data_for_a_net() -> None:
    for trees in (True, False):
        data = Toy(trees=trees, train=40, valid=5, test=5)
        data.prepare()
        assert data.meta["trees"] is trees
        assert data.meta["examples"] == {"train": 40, "valid": 5, "test": 5}
        batches = list(data.loader("train"))
        assert all((batch.parents is not None) is trees for batch in batches)
        assert sorted(map(len, batches)) == [8, 32]


def test_every_word_of_the_test_is_known_with_the_defaults() -> None:
    texts = Toy().corpus().texts
    words = {split: {word for text in found for word in text.text.split()} for split, found in texts.items()}
    assert words["test"] | words["valid"] <= words["train"]
