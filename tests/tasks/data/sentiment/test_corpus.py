"""What a source gives."""

from __future__ import annotations

from rnnx.tasks.data.sentiment.corpus import FIVE, Corpus, LabelledText
from rnnx.tasks.parts.files.brackets import parse_tree


def test_a_text_has_no_tree_if_none_is_given() -> None:
    assert LabelledText("so good", "good") == ("so good", "good", None)


def test_a_corpus_is_its_classes_and_its_splits() -> None:
    tree = parse_tree("(4 good)")
    classes, texts = Corpus(FIVE, {"train": [LabelledText(tree.text, "very positive", tree)]})
    assert classes[4] == texts["train"][0].label
    assert classes[::4] == ["very negative", "very positive"]
