from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.parts.files.conll import Row, read_rows


def lines(tmp_path: Path, text: str) -> list[list[tuple[int, list[str]]]]:
    file = tmp_path / "words.txt"
    file.write_text(text, newline="")
    return [[tuple(row) for row in sentence] for sentence in read_rows(file)]  # type: ignore[misc]


def test_conll_2003(tmp_path: Path) -> None:
    """The document's line stands between two sentences, here at the end of the file, too."""
    text = (
        "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n-DOCSTART- -X- O O\n\nPeter NNP I-NP I-PER\n"
        "-DOCSTART- -X- -X- O\nBRUSSELS NNP I-NP I-LOC\n\n\n-DOCSTART- -X- O O"
    )
    assert lines(tmp_path, text) == [
        [(1, ["EU", "NNP", "I-NP", "I-ORG"]), (2, ["rejects", "VBZ", "I-VP", "O"])],
        [(6, ["Peter", "NNP", "I-NP", "I-PER"])],
        [(8, ["BRUSSELS", "NNP", "I-NP", "I-LOC"])],
    ]


def test_wnut_breaks_sentences_with_a_tab(tmp_path: Path) -> None:
    assert lines(tmp_path, "ESB\tB-location\n\t\nFrom\tO\n \t \nGreen\tO\r\n\r\nNewsfeed\tO\n") == [
        [(1, ["ESB", "B-location"])],
        [(3, ["From", "O"])],
        [(5, ["Green", "O"])],
        [(7, ["Newsfeed", "O"])],
    ]


GERMEVAL = "#\thttp://de.wikipedia.org [2009-10-17]\n1\tSchartau\tB-PER\tO\n2\t#\tO\tO\n#\tsagte\tO\tO\n"


def test_comments_stand_before_a_sentences_first_word(tmp_path: Path) -> None:
    """As CoNLL-U and GermEval 2014 have them; within a sentence ``#`` begins a word."""
    file = tmp_path / "NER-de-dev.tsv"
    file.write_text(f"{GERMEVAL}\n# sent_id = 2\n# text = Ja\n1\tJa\tO\tO\n\n# newdoc\n")
    assert read_rows(file, comments=True) == [
        [
            Row(2, ["1", "Schartau", "B-PER", "O"]),
            Row(3, ["2", "#", "O", "O"]),
            Row(4, ["#", "sagte", "O", "O"]),
        ],
        [Row(8, ["1", "Ja", "O", "O"])],
    ]
    assert read_rows(file)[0][0] == Row(1, ["#", "http://de.wikipedia.org [2009-10-17]"])


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("1\u00a01/2 O", ["1\u00a01/2", "O"]),  # a no-break space
        ("a\u2028b\u3000c O", ["a\u2028b\u3000c", "O"]),
        ("  Melbourne   NP B-LOC ", ["Melbourne", "NP", "B-LOC"]),
        ("New York\tB-LOC", ["New York", "B-LOC"]),
        ("\tO", ["", "O"]),
        ("a\t\tO", ["a", "", "O"]),
        ("😂 O", ["😂", "O"]),
        ("# O", ["#", "O"]),
    ],
)
def test_what_separates_columns(tmp_path: Path, line: str, columns: list[str]) -> None:
    assert lines(tmp_path, f"{line}\n") == [[(1, columns)]]


def test_packed_and_blank_files(tmp_path: Path) -> None:
    file = tmp_path / "eng.train.gz"
    file.write_bytes(gzip.compress(b"EU I-ORG\n"))
    assert read_rows(file) == [[Row(1, ["EU", "I-ORG"])]]
    assert lines(tmp_path, "\n \n-DOCSTART- O\n\n") == []


def test_other_bytes_and_other_paths_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "esp.train"
    file.write_bytes("Coruña B-LOC\n".encode("latin1"))
    with pytest.raises(InputError, match=r"esp\.train:1: not UTF-8: byte 0xf1 at byte 5 of the line"):
        read_rows(file)
    with pytest.raises(UsageError, match=r"esp\.tran: no such file; did you mean 'esp\.train'\?"):
        read_rows(tmp_path / "esp.tran")
