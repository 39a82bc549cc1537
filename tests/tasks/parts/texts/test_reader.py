"""What is read, against numbers written by hand."""

from __future__ import annotations

import json

import pytest
import torch

from rnnx.tasks.parts.files.brackets import parse_tree
from rnnx.tasks.parts.nets.cross_entropy import IGNORED
from rnnx.tasks.parts.texts.reader import Reader, taken_apart
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Level, Vocabulary

CLASSES = ["bad", "fair", "good"]
LINES = ["so so so good good", "so bad"]  # so 2, good 3, bad 4


def reader(
    trees: bool = False, level: Level = "word", apart: bool = False, longest: int | None = None
) -> Reader:
    return Reader(Vocabulary.train(LINES, level, specials=(PAD, UNK)), CLASSES, trees, apart, longest)


def test_a_text_is_its_words_and_its_class() -> None:
    example = reader().text("bad so new", "good")
    assert (example.tokens.tolist(), example.labels.tolist()) == ([4, 2, 1], [2])


def test_a_tree_is_its_nodes_and_their_classes() -> None:
    tokens, labels, parents = reader(trees=True).tree(parse_tree("(good (? so) (fair (bad bad) (fair new)))"))
    assert tokens.tolist() == [2, 4, 1, 0, 0]
    assert labels.tolist() == [IGNORED, 0, 1, 1, 2]
    assert parents.tolist() == [4, 3, 3, 4, -1]


def test_a_word_with_a_no_break_space_is_one_node() -> None:
    tokens, *_ = reader(trees=True).tree(parse_tree("(good (fair so\u00a0so) (good so))"))
    assert tokens.tolist() == [1, 2, 0]


@pytest.mark.parametrize("longest", [2, 3, 4, None])
def test_no_more_than_the_first_tokens_are_read(longest: int | None) -> None:
    text = reader(longest=longest).text("so bad good")
    assert text.tokens.tolist() == [2, 4, 3][:longest]


def test_a_tree_is_read_whole() -> None:
    made = reader(trees=True, longest=1)
    assert len(made.tree(parse_tree("(good (fair so) (good so))")).tokens) == 3


def test_texts_are_padded() -> None:
    made = reader()
    batch = made.batch([made.text("so", "bad"), made.text("so good so", "good")], [5, 7])
    assert batch.inputs.tolist() == [[2, 0, 0], [2, 3, 2]]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.targets.tolist() == [0, 2]
    assert batch.index.tolist() == [5, 7]
    assert batch.parents is None
    assert batch.trees is None


def test_trees_are_padded_and_taken_apart() -> None:
    made = reader(trees=True)
    lines = ["(bad bad)", "(good (fair so) (good good))"]
    batch = made.batch([made.read(line) for line in lines], [0, 1])
    assert batch.inputs.tolist() == [[4, 0, 0], [2, 3, 0]]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.targets.tolist() == [[0, IGNORED, IGNORED], [1, 2, 2]]
    assert batch.parents is not None
    assert batch.trees is not None
    assert batch.parents.tolist() == [[-1, -2, -2], [2, 2, -1]]
    assert batch.trees.nodes.tolist() == [0, 3, 4, 5]


def test_texts_without_words_have_one_step_of_padding() -> None:
    made = reader()
    batch = made.batch([made.text(""), made.text(" ")], [0, 1])
    assert (batch.inputs.tolist(), batch.lengths.tolist()) == ([[0], [0]], [0, 0])


@pytest.mark.parametrize("level", ["word", "bpe", "char"])
def test_a_text_is_written_as_it_was_read(level: Level) -> None:
    made = reader(level=level)
    batch = made.batch([made.read("so good"), made.read("so bad so")], [0, 1])
    assert [made.line(batch, row) for row in range(2)] == ["so good", "so bad so"]


def test_a_tree_is_written_with_the_numbers_of_its_classes() -> None:
    made = reader(trees=True)
    lines = ["(bad bad)", "(good (maybe so) (good new))"]
    batch = made.batch([made.read(line) for line in lines], [0, 1])
    assert [made.line(batch, row) for row in range(2)] == ["(0 bad)", f"(2 (? so) (2 {UNK}))"]
    again = made.batch([made.read(made.line(batch, row)) for row in range(2)], [0, 1])
    assert torch.equal(again.inputs, batch.inputs)


def test_what_is_no_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="expected '\\('"):
        reader(trees=True).read("so good")


@pytest.mark.parametrize("trees", [False, True])
def test_it_comes_back_from_plain_data(trees: bool) -> None:
    made = reader(trees, apart=not trees, longest=None if trees else 2)
    plain = json.loads(json.dumps(made.to_plain()))
    again = Reader.from_plain(plain)
    assert again.to_plain() == plain == made.to_plain()
    line = "(bad (bad so) (bad bad))" if trees else "so,so bad"
    for one, other in zip(again.read(line), made.read(line), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good!", "Good !"),
        ("It's a must-see (really).", "It's a must-see ( really ) ."),
        ("one<br /><br />two<br>three<br/>", "one two three"),
        ("10/10 -- wow…", "10 / 10 - - wow …"),
        ("  ", ""),
        ("l’été à Paris", "l’été à Paris"),
        ("'quoted'", "' quoted '"),
    ],
)
def test_punctuation_is_taken_off_words(text: str, expected: str) -> None:
    assert taken_apart(text) == expected


def test_a_reader_takes_apart_if_told() -> None:
    assert reader(apart=True).text("so,bad").tokens.tolist() == [2, 1, 4]
    assert reader(apart=False).text("so,bad").tokens.tolist() == [1]


def test_a_tree_under_other_labels() -> None:
    read = reader(trees=True)
    batch = read.batch(
        [read.tree(parse_tree(line)) for line in ("(0 (1 so) (2 bad))", "(good good)")], [0, 1]
    )
    assert read.named(batch, 0, [2, IGNORED, 0]) == (["so", "bad", ""], ["good", "", "bad"], [2, 2, -1])
    assert read.named(batch, 1, [1, 0, 0]) == (["good"], ["fair"], [-1])
