from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnx.core.commas import between_commas
from rnnx.core.declarations.validation import Word


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("gru", ["gru"]),
        ("gru,lstm", ["gru", "lstm"]),
        (" 1 , 2 ", ["1", "2"]),
        ("a,,b", ["a", "", "b"]),
        ("", [""]),
        ("[1,2]", ["[1,2]"]),
        ("[1,2],[3,[4,5]]", ["[1,2]", "[3,[4,5]]"]),
        ("{a: 1, b: [2,3]},null", ["{a: 1, b: [2,3]}", "null"]),
        ("""'a,b',"c,d",e""", ["'a,b'", '"c,d"', "e"]),
        ("""['],', 1],2""", ["['],', 1]", "2"]),
        ("it's,that's", ["it's", "that's"]),  # no quotation marks
        ("a[1,b]", ["a[1", "b]"]),  # no list
    ],
)
def test_commas_are_between_values_and_not_within_them(text: str, values: list[str]) -> None:
    assert between_commas(text) == values


@given(st.lists(st.lists(st.integers(), min_size=1) | st.integers() | st.booleans(), min_size=1))
def test_what_yaml_reads_as_one_value_stays_one(values: list[object]) -> None:
    import json

    texts = [json.dumps(value) for value in values]
    assert [Word(text).value for text in between_commas(",".join(texts))] == values
