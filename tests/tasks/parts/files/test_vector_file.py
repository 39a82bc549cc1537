"""Vectors of words against files written by hand in the formats of word2vec and GloVe."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.parts.files.vector_file import read_vectors, vectors_meta
from rnnx.tasks.parts.texts.vocabulary import PAD, UNK, Vocabulary

GLOVE = (
    b"the 0.5 -1e-2 3\n, 1 2 3\n. . . 7 8 9\nThe 4 5 6\nthe 0 0 0\ncaf\xc3\xa9 1.5 2.5 3.5\nbad\xff 1 1 1\n"
)


def known(path: Path, *words: str) -> dict[str, list[float]]:
    places, values = read_vectors(str(path), words)
    return {words[place]: vector for place, vector in zip(places.tolist(), values.tolist(), strict=True)}


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    file = tmp_path / "glove.txt"
    file.write_bytes(GLOVE)
    return file


def test_each_word_has_its_numbers(glove: Path) -> None:
    assert known(glove, ",", "unheard", "café", "the") == {
        ",": [1.0, 2.0, 3.0],
        "café": [1.5, 2.5, 3.5],
        "the": pytest.approx([0.5, -0.01, 3.0]),  # of two lines the first
    }


def test_a_word_may_have_blanks(glove: Path) -> None:
    assert known(glove, ". . .") == {". . .": [7.0, 8.0, 9.0]}


def test_a_word_is_looked_for_as_it_is_and_then_in_lower_case(glove: Path) -> None:
    assert known(glove, "The", "THE", "Café") == {
        "The": [4.0, 5.0, 6.0],
        "THE": pytest.approx([0.5, -0.01, 3.0]),
        "Café": [1.5, 2.5, 3.5],
    }


@pytest.mark.parametrize("end", [b"\n", b" \n", b"\r\n", b" \r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_word2vec_has_a_first_line_of_its_own(tmp_path: Path, packed: bool, end: bytes) -> None:
    raw = end.join([b"3 2", b"</s> 0 0", b"2 0.25 0.5", b"3 1 2", b""])
    file = tmp_path / ("w2v.txt.gz" if packed else "w2v.txt")
    file.write_bytes(gzip.compress(raw) if packed else raw)
    assert known(file, "2", "3") == {"2": [0.25, 0.5], "3": [1.0, 2.0]}


def test_a_first_line_of_a_word_and_one_number_is_a_word(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("1 0.5\nthe 2\n")
    assert known(file, "1", "the") == {"1": [0.5], "the": [2.0]}


NO_NUMBER = "expected a word and 1 numbers separated by blanks"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"the 1 2\ncat 1\n", "2: expected a word and 2 numbers separated by blanks, got 1"),
        (b"the 1 2\n\ncat 1 2\n", "2: expected a word and 2 numbers separated by blanks, got 0"),
        (b"2 3\nthe 1 2\n", "2: expected a word and 3 numbers separated by blanks, got 2"),
        (b"the\t1\t2\n", "1: expected a word and its numbers separated by blanks, got 0"),
        (b"5 0\nthe\n", "1: expected a word and its numbers separated by blanks, got 1"),
        (b"9" * 30 + b" " + b"9" * 5000 + b"\nchat\n", f"2: {NO_NUMBER}, got 0"),
        (b" 7\ncat\n", f"2: {NO_NUMBER}, got 0"),
        (b"the 1 2\ncat 1 x\n", "2: expected a word and 2 finite numbers, got something else"),
        (b"the 1 2\ncat nan 1\n", "2: expected a word and 2 finite numbers, got something else"),
        (b"the 1 2\ncat 1 inf\n", "2: expected a word and 2 finite numbers, got something else"),
        (b"chat 1 2\n", " expected vectors of words of the text, and none of its 2 is there"),
        (b"", " expected vectors of words of the text, and none of its 2 is there"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, raw: bytes, problem: str) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        known(file, "the", "cat")
    assert str(caught.value) == f"{file}:{problem}"


@pytest.mark.parametrize("option", ["vectors", "source_vectors"])
def test_a_missing_file_is_named_by_its_option(tmp_path: Path, option: str) -> None:
    vocabulary = Vocabulary.train(["the"], "word", specials=(UNK,))
    with pytest.raises(UsageError) as refused:
        vectors_meta(str(tmp_path / "none.txt"), vocabulary, option)
    assert str(refused.value) == f"data.{option}: there is no file '{tmp_path}/none.txt'; check the path"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path, problem in ((tmp_path, "Is a directory"), (tmp_path / "none.txt", "No such file")):
        with pytest.raises(InputError, match=f"cannot be read: {problem}"):
            known(path, "the")
    raw = gzip.compress(GLOVE * 100)
    for name, content in (("cut.gz", raw[: len(raw) // 2]), ("other.gz", GLOVE)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            InputError, match=rf"{name}: (not an intact gzip archive|cannot be read: Not a gz)"
        ):
            known(tmp_path / name, "the")


def test_the_coverage_is_told(glove: Path, caplog: pytest.LogCaptureFixture) -> None:
    vocabulary = Vocabulary.train(["the café is , so"], "word", specials=(PAD, UNK))
    with caplog.at_level(logging.INFO):
        meta = vectors_meta(str(glove), vocabulary)
    assert meta == {"path": str(glove), "size": 3, "found": 3, "words": 7}
    assert caplog.messages == [f"'{glove}' has vectors of 3 of the 7 words (42.9%)"]


def test_without_a_file_there_is_nothing_to_tell() -> None:
    assert vectors_meta(None, Vocabulary.train(["a"], "word", specials=(UNK,))) is None
