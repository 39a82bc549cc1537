from __future__ import annotations

from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.tags import Entity


def test_it_is_its_words_and_its_entities() -> None:
    words, found = Sentence(["Ada", "ran"], [Entity(0, 1, "PER")])
    assert words == ["Ada", "ran"]
    assert found == [(0, 1, "PER")]
