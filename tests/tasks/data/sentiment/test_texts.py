"""Labels of texts: which there are, and which are refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import final

import pytest

from rnnx.core.data import Split
from rnnx.core.errors import InputError
from rnnx.tasks.data.sentiment.labelled import Reading
from rnnx.tasks.data.sentiment.texts import Found, Texts, checked


def found(*labels: str, path: str = "a.tsv") -> list[Found]:
    return [Found(f"text {n}", label, path, n) for n, label in enumerate(labels, 1)]


@final
@dataclass(kw_only=True, eq=False)
class Given(Texts):
    """Some labels."""

    train: list[Found] = field(default_factory=lambda: found("pos", "neg", "pos"))
    test: list[Found] = field(default_factory=lambda: found("neg"))

    def texts(self) -> dict[Split, list[Found]]:
        return {"train": self.train, "valid": self.train[:1], "test": self.test}


def test_classes_are_the_labels_of_training_in_order() -> None:
    classes, texts = Given().corpus()
    assert classes == ["neg", "pos"]
    assert [(text.text, text.label, text.tree) for text in texts["train"]] == [
        ("text 1", "pos", None),
        ("text 2", "neg", None),
        ("text 3", "pos", None),
    ]


def test_how_texts_are_read_is_an_option() -> None:
    assert Given().reading == Reading("word", False, None)
    assert Given(level="char", apart=True, max_length=7).reading == Reading("char", True, 7)


def test_one_class_only_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        Given(train=found("pos", "pos")).corpus()
    assert str(caught.value) == "a.tsv: expected texts of two classes at least, and all have the label 'pos'"


def test_a_label_that_training_has_not_is_named_or_left_out(caplog: pytest.LogCaptureFixture) -> None:
    test = found("neg", "none", "pos", path="b.tsv")
    with pytest.raises(InputError) as caught:
        Given(test=test).corpus()
    message = "b.tsv:2: expected a label of the training texts, neg, pos, got 'none'"
    assert str(caught.value) == message
    with caplog.at_level(logging.WARNING):
        texts = Given(test=test, skip=True).corpus().texts
    assert [text.label for text in texts["test"]] == ["neg", "pos"]
    assert caplog.messages == [f"'b.tsv': left out 1 of 3 texts; the first: {message}"]


def test_of_many_labels_only_some_are_named() -> None:
    train = found(*"abcdefg")
    with pytest.raises(InputError, match=r"training texts, a, b, c, d, e, \.\.\., got 'x'"):
        Given(train=train, test=found("x")).corpus()


def test_blanks_around_text_and_label_are_dropped() -> None:
    assert checked(Found(" so  good\u00a0", "\tpos ", "a", 3)) == Found("so  good", "pos", "a", 3)


@pytest.mark.parametrize(
    ("text", "label", "name"), [(" \t", "pos", "text"), ("good", " ", "label"), ("", "", "text")]
)
def test_an_empty_text_or_label_is_an_error(text: str, label: str, name: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(Found(text, label, "a.tsv", 3))
    assert str(caught.value) == f"a.tsv:3: expected a {name}, got an empty one"
