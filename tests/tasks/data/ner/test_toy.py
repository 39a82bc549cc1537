from __future__ import annotations

from rnnx.tasks.data.ner.news import news
from rnnx.tasks.data.ner.toy import Toy


def test_it_is_the_news_of_its_options() -> None:
    data = Toy(train=30, valid=7, test=5, seed=3)
    assert data.sentences() == news(30, 7, 5, seed=3)
    assert data.meta["examples"] == {"train": 30, "valid": 7, "test": 5}
    assert {tag[2:] for tag in data.meta["tags"]} == {"", "LOC", "ORG", "PER"}


def test_no_word_of_a_name_is_known_beforehand() -> None:
    """What is read of a name in the test is its characters."""
    data = Toy(valid=5, test=100)
    data.prepare()
    unknown = 0
    for batch in data.loader("test"):
        inside = batch.targets > 0
        unknown += int((batch.inputs[..., 0] == 1)[inside].sum())
        assert not (batch.inputs[..., 0] == 1)[~inside].any()
    assert unknown > 200
