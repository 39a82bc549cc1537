"""Trees from files written by hand."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.sentiment.corpus import FIVE
from rnnx.tasks.data.sentiment.trees import Trees
from rnnx.tasks.parts.texts.reader import Reader

TRAIN = [
    "(3 (2 It) (4 (2 's) (3 good)))",
    "(2 (2 8\u00a01\\/2) (2 hours))",
    "(0 (1 (2 never) (3 good)) (2 .))",
    "(4 (4 superb))",
]


def trees(folder: Path, lines: list[str] = TRAIN, **options: Any) -> Trees:
    file = folder / "trees.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return Trees(train=str(file), valid=str(file), test=str(file), **options)


def test_labels_are_named(tmp_path: Path) -> None:
    classes, texts = trees(tmp_path).corpus()
    assert classes == FIVE == ["very negative", "negative", "neutral", "positive", "very positive"]
    assert [text.text for text in texts["train"]] == [
        "It 's good",
        "8\u00a01\\/2 hours",
        "never good .",
        "superb",
    ]
    assert [text.label for text in texts["test"]] == ["positive", "neutral", "very negative", "very positive"]
    tree = texts["valid"][0].tree
    assert tree is not None
    assert tree.labels == ["neutral", "neutral", "positive", "very positive", "positive"]


def test_binary_trees_have_two_classes_and_no_neutral_root(tmp_path: Path) -> None:
    data = trees(tmp_path, binary=True)
    classes, texts = data.corpus()
    assert classes == ["negative", "positive"]
    assert [text.label for text in texts["train"]] == ["positive", "negative", "positive"]
    assert data.meta["examples"] == {"train": 3, "valid": 3, "test": 3}
    reader = Reader.from_plain(data.meta)
    (batch,) = data.loader("test")
    row = batch.index.tolist().index(1)
    assert reader.line(batch, row) == "(0 (0 (? never) (1 good)) (? .))"


@pytest.mark.parametrize(
    ("count", "binary", "classes"),
    [
        (3, False, ["0", "1", "2"]),
        (3, True, ["negative", "positive"]),
        (4, True, ["negative", "positive"]),
        (2, False, ["0", "1"]),
    ],
)
def test_other_numbers_of_labels(tmp_path: Path, count: int, binary: bool, classes: list[str]) -> None:
    lines = [f"({label} word)" for label in range(count)]
    corpus = trees(tmp_path, lines, labels=count, binary=binary).corpus()
    assert corpus.classes == classes
    expected = {
        (3, True): ["negative", "positive"],
        (4, True): ["negative", "negative", "positive", "positive"],
    }
    wanted = expected.get((count, binary), classes)
    assert [text.label for text in corpus.texts["train"]] == wanted


def test_packed_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "trees.txt.gz"
    file.write_bytes(gzip.compress("\n".join(TRAIN).encode()))
    data = Trees(train=str(file), valid=str(file), test=str(file))
    assert len(data.corpus().texts["train"]) == 4


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("(3 (2 so) (3 good)", "expected ')' for each '(', and 1 is missing at the end"),
        ("(3 (2 so) (3 good)))", "expected nothing after the tree, got ')' at character 20"),
        ("", "expected a tree in brackets, got an empty line"),
        ("so good", "expected '(', got 'so' at character 1"),
        ("(3 (2 so) (5 good))", "expected labels from 0 to 4, got '5'"),
        ("(3 (2 so) (-1 good))", "expected labels from 0 to 4, got '-1'"),
        ("(x (2 so) (3 good))", "expected labels from 0 to 4, got 'x'"),
        ("(3.0 (2 so) (3 good))", "expected labels from 0 to 4, got '3.0'"),
    ],
)
def test_a_malformed_line_is_named_or_left_out(
    tmp_path: Path, line: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [TRAIN[0], line, TRAIN[2]]
    with pytest.raises(InputError) as caught:
        trees(tmp_path, lines).corpus()
    message = f"{tmp_path}/trees.txt:2: {problem}"
    assert str(caught.value) == message
    with caplog.at_level(logging.WARNING):
        texts = trees(tmp_path, lines, skip=True).corpus().texts
    assert [text.text for text in texts["train"]] == ["It 's good", "never good ."]
    assert caplog.messages[0] == f"'{tmp_path}/trees.txt': left out 1 of 3 trees; the first: {message}"


def test_nothing_but_faults_is_an_error_also_where_they_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of 2 trees can be used"):
        trees(tmp_path, ["so", "good"], skip=True).corpus()


def test_nothing_but_neutral_roots_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trees that are negative or positive, and all are in the middle"):
        trees(tmp_path, ["(2 (4 so) (0 so))"], binary=True).corpus()


def test_all_missing_files_are_named(tmp_path: Path) -> None:
    data = trees(tmp_path)
    data.valid = data.test = str(tmp_path / "none")
    with pytest.raises(UsageError) as caught:
        data.corpus()
    assert caught.value.problems == tuple(
        f"data.{split}: there is no file '{tmp_path}/none'; check the path" for split in ("valid", "test")
    )
