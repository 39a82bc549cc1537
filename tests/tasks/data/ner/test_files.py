"""Files of columns: excerpts of CoNLL-2003, CoNLL-2002 and W-NUT 2017, and what may be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from rnnx.core.data import Split
from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.ner.files import Files
from rnnx.tasks.data.ner.sentence import Sentence
from rnnx.tasks.parts.texts.tagged_text import format_bracketed

CONLL_2003 = """EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER

-DOCSTART- -X- O O

Swiss JJ I-NP I-MISC
Grand JJ I-NP B-MISC
Prix NNP I-NP I-MISC
"""
CONLL_2002 = """Melbourne NP B-LOC
( Fpa O
Australia NP B-LOC
) Fpt O

El DA O
Abogado NC B-PER
General AQ I-PER

"""
WNUT = "Empire\tB-location\nState\tI-location\nBuilding\tI-location\n=\tO\nESB\tB-location\n\t\n😂\tO\n"


def files(folder: Path, text: str, **options: Any) -> Files:
    """The same file for all three splits."""
    file = folder / "words.txt"
    file.write_text(text, encoding="utf-8", newline="")
    return Files(train=str(file), valid=str(file), test=str(file), **options)


def read(data: Files, split: Split = "train") -> list[str]:
    return [format_bracketed(*sentence) for sentence in data.sentences()[split]]


def test_conll_2003(tmp_path: Path) -> None:
    expected = [
        "[ORG EU] rejects [MISC German] call",
        "[PER Peter Blackburn]",
        "[MISC Swiss] [MISC Grand Prix]",
    ]
    for split in ("train", "valid", "test"):
        assert read(files(tmp_path, CONLL_2003), split) == expected


def test_conll_2002(tmp_path: Path) -> None:
    expected = ["[LOC Melbourne] ( [LOC Australia] )", "El [PER Abogado General]"]
    assert read(files(tmp_path, CONLL_2002)) == expected


def test_wnut(tmp_path: Path) -> None:
    assert read(files(tmp_path, WNUT)) == ["[location Empire State Building] = [location ESB]", "😂"]


def test_the_columns_can_be_said(tmp_path: Path) -> None:
    text = "1\tB-PER\tAda\tNNP\n2\tO\tran\tVBD\n"
    assert read(files(tmp_path, text, word_column=3, tag_column=2)) == ["[PER Ada] ran"]


def test_each_split_has_its_file(tmp_path: Path) -> None:
    paths = {}
    for split, name in (("train", "Ada"), ("valid", "Bo"), ("test", "Cy")):
        paths[split] = str(tmp_path / f"{split}.gz")
        Path(paths[split]).write_bytes(gzip.compress(f"{name} B-PER\nran O\n".encode()))
    found = Files(**paths).sentences()
    assert found == {
        split: [Sentence([name, "ran"], [(0, 1, "PER")])]
        for split, name in (("train", "Ada"), ("valid", "Bo"), ("test", "Cy"))
    }


GERMEVAL = "#\thttp://de.wikipedia.org [2009-10-17]\n1\tAda\tB-PER\tO\n2\tlief\tO\tO\n"
ADVICE = "; if lines that begin with # are comments, say data.comments=true"


def test_germeval_2014_has_comments(tmp_path: Path) -> None:
    """A word's number, the word, the outer tag, the inner one."""
    columns = {"word_column": 2, "tag_column": 3}
    assert read(files(tmp_path, GERMEVAL, comments=True, **columns)) == ["[PER Ada] lief"]
    with pytest.raises(UsageError) as caught:
        files(tmp_path, GERMEVAL, **columns).sentences()
    assert caught.value.problems == (
        f"data.tag_column: there is no column 3, as '{tmp_path}/words.txt' has 2{ADVICE}",
    )


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("# id = 1\nAda B-PER\n", 2, f"expected 4 columns, as in the first line, got 2{ADVICE}"),
        ("# O\nAda B-PER now\n", 2, f"expected 2 columns, as in the first line, got 3{ADVICE}"),
        (
            "EU NNP I-ORG\n\nSwiss JJ I-MISC\nPrix I-MISC\n",
            4,
            "expected 3 columns, as in the first line, got 2",
        ),
        ("EU NNP I-ORG\nNew York NNP I-LOC\n", 2, "expected 3 columns, as in the first line, got 4"),
        ("EU\tO\n\tB-PER\n", 2, "expected a word in column 1, got nothing"),
        ("EU\tO\n\r\tB-PER\n", 2, "expected a word in column 1, got nothing"),
        (
            "EU NNP\nran VBD\n",
            1,
            "expected a tag such as O, B-PER or I-PER, got 'NNP'; is it the column of the tags? "
            "data.tag_column says which",
        ),
    ],
)
def test_a_wrong_line_is_told(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        files(tmp_path, text).sentences()
    assert str(caught.value) == f"{tmp_path}/words.txt:{line}: {problem}"


def test_a_sentence_with_a_wrong_line_is_left_out_if_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "Ada B-PER\nran O\n\nin O\nthe\nrain O\n\nBo B-PER\n\nCy PER\n"
    assert read(files(tmp_path, text, skip=True)) == ["[PER Ada] ran", "[PER Bo]"]
    assert caplog.messages[0] == (
        f"'{tmp_path}/words.txt': left out 2 of 4 sentences; the first: {tmp_path}/words.txt:5: "
        "expected 2 columns, as in the first line, got 1"
    )
    assert len(caplog.messages) == 3  # of each split


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"tag_column": 4}, ["data.tag_column: there is no column 4, as '{}' has 3"]),
        (
            {"tag_column": 5, "word_column": 4},
            [
                "data.word_column: there is no column 4, as '{}' has 3",
                "data.tag_column: there is no column 5, as '{}' has 3",
            ],
        ),
        ({"word_column": 3}, ["data.tag_column: column 3 of '{}', which has 3, is that of the words"]),
    ],
)
def test_a_column_that_is_not_there_is_told(
    tmp_path: Path, options: dict[str, int], problems: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        files(tmp_path, CONLL_2002, **options).sentences()
    assert list(caught.value.problems) == [problem.format(tmp_path / "words.txt") for problem in problems]


def test_words_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"column 1 of '.*', which has 1, is that of the words"):
        files(tmp_path, "EU\nrejects\n").sentences()


def test_a_file_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a word and its tag in a line, but all lines are blank"):
        files(tmp_path, "\n\t\n").sentences()


def test_a_missing_file_is_told_by_its_option(tmp_path: Path) -> None:
    data = files(tmp_path, CONLL_2002)
    data.test = str(tmp_path / "word.txt")
    with pytest.raises(
        UsageError, match=r"^data.test: there is no file '.*word\.txt'; did you mean 'words\.txt'\?"
    ):
        data.prepare()
