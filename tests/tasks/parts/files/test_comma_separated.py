from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.comma_separated import read_rows

TEXT = 'a,"b ""c"", d"\r\n\n"two\nlines",\nlast, one\n'  # RFC 4180, section 2
ROWS = [(1, ["a", 'b "c", d']), (2, []), (3, ["two\nlines", ""]), (5, ["last", " one"])]


@pytest.mark.parametrize("packed", [False, True])
def test_fields_are_unquoted_and_rows_begin_in_their_lines(packed: bool, tmp_path: Path) -> None:
    file = tmp_path / ("a.csv.gz" if packed else "a.csv")
    file.write_bytes(gzip.compress(TEXT.encode()) if packed else TEXT.encode())
    assert list(read_rows(file)) == ROWS


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            'Text;Label\r\n"ein ""guter"" Film; ja, ja";gut\r\n',
            [["Text", "Label"], ['ein "guter" Film; ja, ja', "gut"]],
        ),
        ('\n"Film, ja";gut\n', [[], ["Film, ja", "gut"]]),
        ("a;b,c\nd;e,f\n", [["a;b", "c"], ["d;e", "f"]]),
        ('"a;b",c\n', [["a;b", "c"]]),
        ("a\nb;c\n", [["a"], ["b;c"]]),
    ],
)
def test_semicolons_separate_where_commas_leave_the_first_row_whole(
    text: str, rows: list[list[str]], tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())  # as a spreadsheet does
    assert [fields for _, fields in read_rows(file)] == rows


def test_wrong_quotes_are_named_by_the_line_their_row_begins_in(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for text, line in (('x\n"a" dog\n', 2), ('x,"y\nz"\n"open\n', 3)):
        file.write_text(text)
        with pytest.raises(InputError) as refused:
            list(read_rows(file))
        assert str(refused.value).startswith(f"{file}:{line}: not comma-separated text: ")
        assert "a quote within quotes is written twice" in str(refused.value)
    file.write_text('x;y\n"a" dog;z\n')
    with pytest.raises(InputError, match=r"a\.csv:2: not semicolon-separated text: "):
        list(read_rows(file))
