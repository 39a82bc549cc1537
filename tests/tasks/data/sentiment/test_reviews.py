"""The grammar of reviews against a reader that knows only its words."""

from __future__ import annotations

import random

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.data.sentiment.corpus import FIVE
from rnnx.tasks.data.sentiment.reviews import (
    ADJECTIVES,
    DIMINISHERS,
    FEELINGS,
    INTENSIFIERS,
    NEGATIONS,
    QUALITIES,
    Critic,
    Phrase,
    joined,
    opposite,
    reviews,
    word,
)
from rnnx.tasks.parts.files.brackets import format_tree, parse_tree

SAID = {
    text: score
    for table in (ADJECTIVES, QUALITIES, FEELINGS)
    for score, texts in table.items()
    for text in texts
}
TURNS = (*NEGATIONS, "lacks", "doubt", "deny", "nobody", "few")


def understood(words: list[str]) -> int:
    """What a review says, read from its words alone, from left to right."""
    if words[0] in ("although", "despite"):
        return clause(words[second(words) :])
    if "but" in words:
        return clause(words[words.index("but") + 1 :])
    if "and" in words:
        cut = words.index("and")
        return max(clause(words[:cut]), clause(words[cut + 1 :]), key=abs)
    return clause(words)


def second(words: list[str]) -> int:
    """Where the second clause begins: after the first thing that something was said of, and all of it."""
    starts = ("the", "this", "its", "i", "critics", "nobody", "few")
    if words[0] == "despite":
        return 4
    places = [n for n, text in enumerate(words) if text in starts]
    (last,) = [
        n
        for n in places[1:]
        if words[n - 1] not in (*(text for texts in FEELINGS.values() for text in texts), "that")
    ]
    return last


def clause(words: list[str]) -> int:
    """A score, made strong or weak by the word before it, and turned by each negation."""
    (place,) = [n for n, text in enumerate(words) if text in SAID]
    score = SAID[words[place]]
    if words[place - 1] in INTENSIFIERS:
        score *= 2 if abs(score) == 1 else 1
    if words[place - 1] in DIMINISHERS:
        score = (score > 0) - (score < 0)
    for text in words:
        if text in TURNS:
            score = -((score > 0) - (score < 0))
    return score


def test_what_a_review_says_follows_from_its_words() -> None:
    critic = Critic(random.Random(0))
    for _ in range(2000):
        review = critic.review()
        assert understood(review.text.split()) == review.score, review.text


def test_reviews_have_all_there_is() -> None:
    texts = [review.text for review in reviews(2000, 1, 1, seed=1)["train"]]
    vocabulary = {text for line in texts for text in line.split()}
    assert vocabulary >= {*SAID, *TURNS, *INTENSIFIERS, *DIMINISHERS, "although", "but", "and", "despite"}
    assert sum("not very" in text for text in texts) > 5


def test_a_tree_has_the_words_and_the_classes_of_its_phrases() -> None:
    phrase = joined(word("not"), joined(word("very"), word("good", 1), 2), opposite(2))
    assert phrase == Phrase(-1, parts=phrase.parts)
    assert phrase.text == phrase.tree.text == "not very good"
    tree = phrase.tree
    assert format_tree(tree._replace(labels=[str(FIVE.index(label)) for label in tree.labels])) == (
        "(1 (2 not) (4 (2 very) (3 good)))"
    )
    for review in reviews(50, 1, 1, seed=3)["train"]:
        tree = review.tree._replace(labels=["x"] * len(review.tree.labels))
        assert parse_tree(format_tree(tree)).parents == tree.parents
        assert review.tree.text == review.text
        assert review.tree.labels[-1] == FIVE[review.score + 2]


def test_every_node_has_at_most_two_children() -> None:
    for review in reviews(200, 1, 1, seed=1)["train"]:
        parents = review.tree.parents
        assert max(parents.count(parent) for parent in parents if parent >= 0) == 2


def test_no_review_comes_twice() -> None:
    splits = reviews(800, 100, 100, seed=1)
    texts = [review.text for split in splits.values() for review in split]
    assert [len(split) for split in splits.values()] == [800, 100, 100]
    assert len(set(texts)) == 1000


def test_the_seed_decides() -> None:
    assert reviews(20, 5, 5, seed=1) == reviews(20, 5, 5, seed=1) != reviews(20, 5, 5, seed=2)


def test_no_class_is_rare_and_none_the_rule() -> None:
    scores = [review.score for review in reviews(3000, 1, 1, seed=1)["train"]]
    shares = [scores.count(score) / 3000 for score in range(-2, 3)]
    assert min(shares) > 0.03
    assert max(shares) < 0.4


def test_more_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Critic, "review", Critic.thing)
    with pytest.raises(UsageError, match=r"^data: the toy grammar cannot fill train=37, valid=1, test=1"):
        reviews(37, 1, 1, seed=1)
    assert len(reviews(30, 3, 3, seed=1)["train"]) == 30
