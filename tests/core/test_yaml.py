from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from rnnx.core.yaml import yaml

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))
)
TEXT = st.text(st.characters(codec="utf-8"))


def written(value: Any) -> str:
    stream = StringIO()
    yaml().dump(value, stream)
    return stream.getvalue()


@given(st.dictionaries(TEXT, SCALARS | st.lists(SCALARS) | st.dictionaries(TEXT, SCALARS)))
def test_what_is_written_is_read_as_it_was_and_in_its_order(value: dict[str, Any]) -> None:
    read = yaml().load(written(value))
    assert read == value
    assert list(read) == list(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),  # YAML 1.1 reads true
        ("010", 10),  # YAML 1.1 reads 8
        ("1:30", "1:30"),  # YAML 1.1 reads 90
        ("=", "="),
        ("1e3", 1000.0),
        ("~", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    read = yaml().load(text)
    assert read == value
    assert type(read) is type(value)


def test_aliases_are_refused_at_their_place() -> None:
    with pytest.raises(YAMLError, match=r"aliases such as \*a are not read; repeat it"):
        yaml().load("one: &a [1]\ntwo: *a")
