from __future__ import annotations

import math
from io import StringIO
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import example, given
from hypothesis import strategies as st

from rnnx.core.declarations.validation import Word, schema, validate
from rnnx.core.options import REQUIRED, Option
from rnnx.core.yaml import yaml


def options(*declared: Option) -> dict[str, Option]:
    return {option.name: option for option in declared}


def problem_of(kind: Any, value: Any, default: Any = REQUIRED) -> str | None:
    return validate("cell", "cell 'gru'", options(Option("x", kind, default)), {"x": value})[1].get("x")


SIZE = Annotated[int, Ge(1)]
SHARE = Annotated[float, Ge(0), Le(1)]
DECAY = Annotated[float, Ge(0), Lt(1)]
ATTENTION = Literal["additive", "dot", "general", "concat", "none"]
MECHANISMS = "additive, dot, general, concat, none"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "3", 3),
        (int, "010", 10),  # YAML 1.1 reads 8
        (int, "1e2", 100),
        (int, "-100.0", -100),
        (float, "3", 3.0),
        (float, "1e-4", 1e-4),  # YAML 1.1 reads text
        (float, ".inf", math.inf),
        (bool, "true", True),
        (str, "no", "no"),  # YAML 1.1 reads false
        (str, "12:30", "12:30"),  # YAML 1.1 reads 750
        (str, "2024", "2024"),
        (str, "2024-01-01", "2024-01-01"),
        (str, "1.50", "1.50"),
        (str, "null", "null"),
        (str, "", ""),
        (str, "a: b", "a: b"),
        (str, "a #1", "a #1"),
        (str, "#1", "#1"),
        (str, "-", "-"),
        (str, "[a", "[a"),
        (str, "=", "="),
        (str, "~/data", "~/data"),
        (str, "'quoted'", "quoted"),
        (str | None, "null", None),
        (str | None, "#1", "#1"),
        (str | None, "1e3", "1e3"),
        (int | str, "7", 7),
        (int | str, "7.0", 7),
        (Literal["1", "2"], "1", "1"),
        (Literal[1, 2], "1", 1),
        (ATTENTION, "none", "none"),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[int, str], "[1, a]", (1, "a")),
        (list[float], "[1, 2.5]", [1.0, 2.5]),
        (dict[str, int], "{a: 1}", {"a": 1}),
        (tuple[tuple[int, int], ...], "[[1, 2], [3, 4]]", ((1, 2), (3, 4))),
        (SIZE, "1", 1),
        (SIZE, "1e3", 1000),
        (SIZE | None, "null", None),
        (SHARE, "1", 1.0),
        (SIZE | SHARE, "7", 7),
        (SIZE | SHARE, "1", 1),
        (SIZE | SHARE, "1.0", 1.0),
        (tuple[DECAY, DECAY], "[0, 0.999]", (0.0, 0.999)),
    ],
)
def test_a_word_is_read_as_its_option_needs_it(kind: Any, text: str, value: Any) -> None:
    clean, problems = validate("", "it", options(Option("x", kind)), {"x": Word(text)})
    assert problems == {}
    assert clean == {"x": value}
    assert type(clean["x"]) is type(value)


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (int, Word("many"), "expected an integer, got 'many'"),
        (int, Word("3.5"), "expected an integer, got 3.5"),
        (int, Word("true"), "expected an integer, got true"),
        (int, Word("'3'"), "expected an integer, got '3'"),
        (int, Word(""), "expected an integer, got nothing"),
        (int, True, "expected an integer, got true"),
        (int, "3", "expected an integer, got '3'"),
        (int, None, "expected an integer, got null"),
        (int, 3.5, "expected an integer, got 3.5"),
        (int, math.inf, "expected an integer, got Infinity"),
        (float, Word("fast"), "expected a number, got 'fast'"),
        (float, True, "expected a number, got true"),
        (bool, Word("yes"), "expected true or false, got 'yes'"),
        (bool, 1, "expected true or false, got 1"),
        (str, 2024, "expected text, got 2024"),
        (str, ["é"], 'expected text, got ["é"]'),
        (int | None, Word("x"), "expected an integer or null, got 'x'"),
        (int | Literal["auto"], Word("x"), "expected an integer or 'auto', got 'x'"),
        (bool | Literal["auto"], Word("x"), "expected true or false or 'auto', got 'x'"),
        (tuple[int, ...], Word("3"), "expected a list of integers, got 3"),
        (tuple[int, ...], Word("[1, a]"), 'expected a list of integers, got [1, "a"]'),
        (tuple[int, str], Word("[1]"), "expected a list of 2: an integer, text, got [1]"),
        (list[Literal["a"]], Word("b"), "expected a list of values, got 'b'"),
        (dict[str, int], Word("a"), "expected a mapping, got 'a'"),
        (SIZE, Word("0"), "expected an integer of at least 1, got 0"),
        (SIZE, Word("1.5"), "expected an integer of at least 1, got 1.5"),
        (SIZE, Word("-1e2"), "expected an integer of at least 1, got -100.0"),
        (SIZE, 0, "expected an integer of at least 1, got 0"),
        (SIZE, Word(""), "expected an integer of at least 1, got nothing"),
        (SIZE, True, "expected an integer of at least 1, got true"),
        (SIZE | None, Word("0"), "expected an integer of at least 1 or null, got 0"),
        (SIZE | Literal["auto"], Word("-1"), "expected an integer of at least 1 or 'auto', got -1"),
        (SIZE | SHARE, Word("1.5"), "expected an integer of at least 1 or a number from 0 to 1, got 1.5"),
        (SHARE, Word(".nan"), "expected a number from 0 to 1, got NaN"),
        (DECAY, Word("1"), "expected a number of at least 0 and below 1, got 1"),
        (Annotated[float, Gt(0)], Word("-0.0"), "expected a number above 0, got -0.0"),
        (Annotated[float, Gt(0), Le(1)], Word("2"), "expected a number above 0 and at most 1, got 2"),
        (Annotated[int, Le(5)], Word("6"), "expected an integer of at most 5, got 6"),
        (tuple[SIZE, ...], Word("[1, 0]"), "expected a list of integers of at least 1, got [1, 0]"),
        (
            tuple[DECAY, DECAY],
            Word("[0.9, 1]"),
            "expected a list of 2 numbers of at least 0 and below 1, got [0.9, 1]",
        ),
        (dict[str, SIZE], Word("{a: 0}"), 'expected a mapping, got {"a": 0}'),
        (ATTENTION, Word("aditive"), f"'aditive' is not one of {MECHANISMS}; did you mean 'additive'?"),
        (ATTENTION, Word("zzz"), f"'zzz' is not one of {MECHANISMS}"),
        (ATTENTION | None, Word("3"), f"3 is not one of {MECHANISMS}, null"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_as_the_user_wrote_it(kind: Any, value: Any, problem: str) -> None:
    assert problem_of(kind, value) == f"cell.x: {problem}"


def test_all_problems_come_at_once_each_by_its_option() -> None:
    declared = options(Option("hidden_size", int, 256), Option("train", str), Option("reset", bool, False))
    values = {"hiden_size": Word("3"), "reset": Word("maybe"), "colour": Word("red")}
    assert validate("data", "data 'files'", declared, values) == (
        {},
        {
            "hiden_size": "data.hiden_size: no such option of data 'files'; did you mean 'hidden_size'?",
            "reset": "data.reset: expected true or false, got 'maybe'",
            "colour": "data.colour: no such option of data 'files' (options: hidden_size, train, reset)",
            "train": "data.train: option of data 'files' is required",
        },
    )


def test_without_a_section_there_is_no_dot() -> None:
    assert validate("", "predict", options(Option("beam", int, 1)), {"beams": Word("3")})[1] == {
        "beams": "beams: no such option of predict; did you mean 'beam'?"
    }


def test_defaults_are_filled_in_in_the_order_of_the_signature_and_never_shared() -> None:
    declared = options(Option("a", int, 1), Option("sizes", list[int], [1]), Option("b", int | None, None))
    first, _ = validate("", "it", declared, {"b": 3})
    assert first == {"a": 1, "sizes": [1], "b": 3}
    assert list(first) == ["a", "sizes", "b"]
    first["sizes"].append(2)
    assert validate("", "it", declared, {})[0]["sizes"] == [1]


@pytest.mark.parametrize(
    "name", ["schema", "copy", "json", "model_config", "model_fields", "dict", "validate"]
)
def test_an_option_may_have_the_name_of_a_model_s_own_attribute(name: str) -> None:
    assert validate("", "it", options(Option(name, int, 1)), {name: Word("2")}) == ({name: 2}, {})


def test_the_schema_describes_every_option() -> None:
    declared = options(
        Option("size", SIZE, 4, "Width."), Option("kind", Literal["a", "b"], "a"), Option("path", str)
    )
    described = schema(declared, "gru").model_json_schema()
    assert described["required"] == ["path"]
    assert described["additionalProperties"] is False
    assert described["properties"]["kind"]["enum"] == ["a", "b"]
    size = described["properties"]["size"]
    assert (size["default"], size["type"], size["minimum"]) == (4, "integer", 1)


TEXT = st.text(st.characters(codec="utf-8"))


@example(["\x85", "a\u2028b", "\u2029", "\ufeff", "\n", "2024-01-01", "=", "1e3", "#", "?0", ""])
@given(
    st.one_of(*(st.lists(kind) for kind in (st.integers(), st.floats(allow_nan=False), st.booleans(), TEXT)))
)
def test_a_value_typed_as_yaml_writes_it_is_that_value(values: list[Any]) -> None:
    written = StringIO()
    writer = yaml()
    writer.default_flow_style = True  # type: ignore[assignment]
    writer.dump(values, written)
    kind = type(values[0]) if values else int
    clean, problems = validate("", "it", options(Option("x", list[kind])), {"x": Word(written.getvalue())})
    assert (clean, problems) == ({"x": values}, {})


@given(TEXT)
def test_any_text_can_be_typed_for_a_text_unless_it_is_in_quotes(text: str) -> None:
    if not text.startswith(("'", '"')):
        assert validate("", "it", options(Option("x", str)), {"x": Word(text)}) == ({"x": text}, {})


def test_of_an_option_like_none_ten_of_those_there_are_are_named() -> None:
    def told(count: int) -> str:
        options = {f"size_{number}": Option(f"size_{number}", int, 1) for number in range(count)}
        return validate("net", "net", options, {"colour": 1})[1]["colour"]

    ten = ", ".join(f"size_{number}" for number in range(10))
    assert told(10) == f"net.colour: no such option of net (options: {ten})"
    assert told(12) == f"net.colour: no such option of net (options: {ten} and 2 more)"
