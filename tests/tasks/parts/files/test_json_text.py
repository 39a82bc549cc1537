from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.json_text import parsed

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(plain, st.booleans())
def test_it_is_what_was_written(value: object, escaped: bool) -> None:
    """Whole characters, too, that JSON writes in two halves."""
    assert parsed(json.dumps(value, ensure_ascii=escaped), "a.json") == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ("", "not JSON: Expecting value at column 1"),
        ('"a dog \\ud83d"', "expected whole characters, got half of one, '\\ud83d'"),
        ('{"\\uDC36": 1}', "expected whole characters, got half of one, '\\udc36'"),
        ("[" * 100_000, "JSON that cannot be read: maximum recursion depth exceeded"),
        ("1" * 5000, "JSON that cannot be read: Exceeds the limit"),
    ],
    ids=["object", "nothing", "half", "half a key", "deep", "long"],
)
def test_what_cannot_be_read_is_said(text: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        parsed(text, "a.jsonl", 7)
    assert str(refused.value).startswith(f"a.jsonl:7: {problem}")


def test_the_line_of_a_fault_in_a_whole_file_is_told() -> None:
    with pytest.raises(InputError, match=r"^a\.json:3: not JSON: .* at column 1$"):
        parsed('{\n"a": 1,\n}', "a.json")
