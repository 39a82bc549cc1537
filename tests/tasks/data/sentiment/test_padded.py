"""Examples as batches."""

from __future__ import annotations

import pytest

from rnnx.tasks.data.sentiment.padded import PaddedTexts
from rnnx.tasks.parts.files.brackets import parse_tree
from rnnx.tasks.parts.texts.reader import Reader
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary

WORDS = Vocabulary.train(["so so so good good bad"], "word", specials=(PAD, UNK))


def test_texts_are_taken_in_the_order_asked_for() -> None:
    reader = Reader(WORDS, ["no", "yes"])
    texts = PaddedTexts(
        [reader.text("so good", "yes"), reader.text("bad", "no"), reader.text("so", "yes")], reader
    )
    assert texts.lengths == [2, 1, 1]
    batch = texts[[2, 0]]
    assert batch.inputs.tolist() == [[2, 0], [2, 3]]
    assert (batch.index.tolist(), batch.targets.tolist()) == ([2, 0], [1, 1])


@pytest.mark.parametrize("position", [0, 1])
def test_the_length_of_a_tree_is_its_nodes(position: int) -> None:
    reader = Reader(WORDS, ["no", "yes"], trees=True)
    lines = ["(no bad)", "(yes (no so) (yes good))"]
    trees = PaddedTexts([reader.tree(parse_tree(line)) for line in lines], reader)
    assert trees.lengths == [1, 3]
    assert trees[[position]].parents is not None
    assert trees[[position]].inputs.shape == (1, trees.lengths[position])
