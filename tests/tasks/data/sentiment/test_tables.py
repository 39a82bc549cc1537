"""Tables against rows written by hand."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.data.sentiment.tables import Columns, format_of, read
from rnnx.tasks.data.sentiment.texts import Found

ROWS = [("so good", "1"), ('a "quote" , and a comma', "0"), ("línea\u2028dos", "1")]


def rows(found: list[Found]) -> list[tuple[str, str]]:
    return [(text.text, text.label) for text in found]


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    raw = text.encode()
    file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return file


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_tab_separated_text_has_no_quotes(tmp_path: Path, name: str, end: str) -> None:
    file = written(tmp_path, name, end.join("\t".join(row) for row in ROWS) + end)
    found = read(file, Columns(), skip=False)
    assert rows(found) == ROWS
    assert [(text.path, text.line) for text in found] == [(str(file), n) for n in (1, 2, 3)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_comma_separated_text_has_quotes(tmp_path: Path, name: str) -> None:
    text = 'so good,1\r\n"a ""quote"" , and a comma",0\r\n"línea\u2028dos",1\r\n'
    assert rows(read(written(tmp_path, name, text), Columns(), skip=False)) == ROWS


def test_a_row_may_have_several_lines(tmp_path: Path) -> None:
    text = 'text,label\n"one\ntwo",a\nthree,b\n"x\ny\nz",a\n'
    found = read(written(tmp_path, "a.csv", text), Columns("text", "label"), skip=False)
    assert [(text.text, text.label, text.line) for text in found] == [
        ("one\ntwo", "a", 2),
        ("three", "b", 4),
        ("x\ny\nz", "a", 5),
    ]


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_columns_have_names_or_numbers(tmp_path: Path, name: str, separator: str) -> None:
    lines = [["id", "stars", "review"], ["7", "5", "so good"], ["8", "1", "so bad"]]
    named = written(tmp_path, name, "\n".join(map(separator.join, lines)))
    expected = [("so good", "5"), ("so bad", "1")]
    assert rows(read(named, Columns("review", "stars"), skip=False)) == expected
    assert rows(read(named, Columns(3, "stars"), skip=False)) == expected
    bare = written(tmp_path, name, "\n".join(map(separator.join, lines[1:])))
    assert rows(read(bare, Columns(3, 2), skip=False)) == expected


def test_json_lines(tmp_path: Path) -> None:
    lines = [{"text": text, "id": None, "label": int(label)} for text, label in ROWS]
    file = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert rows(read(file, Columns(), skip=False)) == ROWS
    lines = [{"review": text, "stars": label} for text, label in ROWS]
    file = written(tmp_path, "a.jsonl.gz", "\n".join(map(json.dumps, lines)))
    assert rows(read(file, Columns("review", "stars"), skip=False)) == ROWS


@pytest.mark.parametrize(
    ("name", "lines", "columns", "problem"),
    [
        ("a.tsv", ["x\t1", "so good"], Columns(), "expected 2 columns, got 1"),
        ("a.tsv", ["x\t1", "so\tgood\t1"], Columns(),
         "expected 2 columns, got 3; of more than two, say which are data.text and data.label"),
        ("a.tsv", ["x\t1\ty", "so good\t1"], Columns(1, 2), "expected 3 columns, got 2"),
        ("a.tsv", ["x\t1", ""], Columns(), "expected 2 columns, got 1"),
        ("a.tsv", ["x\t1", " \t1"], Columns(), "expected a text, got an empty one"),
        ("a.csv", ["x,1", "so good,"], Columns(), "expected a label, got an empty one"),
        ("a.csv", ["x,1", "so good"], Columns(), "expected 2 columns, got 1"),
        ("a.csv", ["x,1", "so, good,1"], Columns(),
         "expected 2 columns, got 3; of more than two, say which are data.text and data.label"),
        ("a.csv", ["x,1,y", "so, good,1,z"], Columns(1, 2), "expected 3 columns, got 4"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', "{"], Columns(),
         "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', '["x", 1]'], Columns(), "expected an object, got list"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', '{"text": "\\ud83d", "label": "1"}'], Columns(),
         "expected whole characters, got half of one, '\\ud83d'"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', '{"text": " ", "label": 1}'], Columns(),
         "expected a text, got an empty one"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', '{"text": "x", "label": true}'], Columns(),
         "expected a text under 'text' and a text or an integer under 'label', got text: str, label: bool"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', '{"text": 1, "label": 1}'], Columns(),
         "expected a text under 'text' and a text or an integer under 'label', got text: int, label: int"),
        ("a.jsonl", ['{"text": "x", "label": "1"}', "{}"], Columns(),
         "expected a text under 'text' and a text or an integer under 'label', got nothing"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named_or_left_out(
    tmp_path: Path,
    name: str,
    lines: list[str],
    columns: Columns,
    problem: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = written(tmp_path, name, "".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError) as caught:
        read(file, columns, skip=False)
    assert str(caught.value) == f"{file}:2: {problem}"
    with caplog.at_level(logging.WARNING):
        assert rows(read(file, columns, skip=True)) == [("x", "1")]
    assert f"left out 1 of 2 {'lines' if name == 'a.jsonl' else 'rows'}; the first: " in caplog.messages[0]


def test_a_quote_that_does_not_end_is_an_error_in_the_line_where_it_begins(tmp_path: Path) -> None:
    file = written(tmp_path, "a.csv", 'x,1\n"so\ngood,1\n')
    with pytest.raises(InputError, match=r"a\.csv:2: not comma-separated text: unexpected end of data"):
        read(file, Columns(), skip=False)


@pytest.mark.parametrize(
    ("columns", "problems"),
    [
        (Columns("review", "stars"), [
            "data.text: '{}' has no column 'review'; its first line is ['text', 'label']",
            "data.label: '{}' has no column 'stars'; its first line is ['text', 'label']",
        ]),
        (Columns("text", 3), ["data.label: '{}' has no column 3; its first line is ['text', 'label']"]),
        (Columns("text"), ["data.label: say which column it is, as the other is said"]),
        (Columns(label=1), ["data.text: say which column it is, as the other is said"]),
    ],
)  # fmt: skip
def test_a_column_that_is_not_there_is_named(tmp_path: Path, columns: Columns, problems: list[str]) -> None:
    file = written(tmp_path, "a.csv", "text,label\nso good,1\n")
    with pytest.raises(UsageError) as caught:
        read(file, columns, skip=False)
    assert caught.value.problems == tuple(problem.format(file) for problem in problems)


def test_json_lines_have_no_numbered_columns(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jsonl", "{}")
    with pytest.raises(UsageError, match=r"^data\.text, data\.label: JSON lines have keys"):
        read(file, Columns(1, 2), skip=False)


def test_a_line_of_names_is_not_taken_for_an_example(tmp_path: Path) -> None:
    """Only if there are so many rows that its label should have come again."""
    body = "".join(f"text {n},{n % 2}\n" for n in range(9))
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, "a.csv", "review,sentiment\n" + body), Columns(), skip=False)
    assert str(caught.value) == (
        f"{tmp_path}/a.csv:1: no other line has the label 'sentiment'; if the columns have names (review "
        "sentiment), say which are data.text and data.label, else leave the line out"
    )
    few = "review,sentiment\n" + "".join(body.splitlines(keepends=True)[:8])
    assert len(read(written(tmp_path, "a.csv", few), Columns(), skip=False)) == 9
    assert len(read(written(tmp_path, "a.csv", "review,1\n" + body), Columns(), skip=False)) == 10
    later = body + "review,sentiment\n"
    assert len(read(written(tmp_path, "a.csv", later), Columns(), skip=False)) == 10


def test_names_alone_are_no_table(tmp_path: Path) -> None:
    file = written(tmp_path, "a.csv", "text,label\n")
    with pytest.raises(InputError, match="expected a row at least under the names of the columns"):
        read(file, Columns("text", "label"), skip=False)


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_what_is_not_utf_8_is_an_error_with_its_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"so good\t1\nso \xff\t0\n")
    with pytest.raises(InputError, match=rf"{name}:2: not UTF-8: byte 0xff at byte 4 of the line"):
        read(file, Columns(), skip=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tsv", ".tsv"),
        ("a.b.csv.gz", ".csv"),
        ("a.jsonl", ".jsonl"),
        ("a.json", ""),
        ("a.gz", ""),
        ("tsv", ""),
    ],
)
def test_the_ending_tells_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected
