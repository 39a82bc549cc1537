from __future__ import annotations

import importlib
import inspect
import math
import sys
import typing
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import example, given
from hypothesis import strategies as st

from rnnx.core.errors import RunError
from rnnx.core.options import (
    REQUIRED,
    Option,
    Word,
    arguments,
    documentation,
    options_of,
    paper,
    schema,
    summary,
    validate,
    yaml,
)
from rnnx.core.registry import find

Install = Callable[..., Path]  # see conftest.py

COMPONENTS = '''
    """Somebody 1999, "A paper"."""

    from __future__ import annotations

    import typing
    import typing as t
    from abc import ABC, abstractmethod
    from typing import Annotated, Literal, Optional, TypeAlias, final

    from annotated_types import Ge, Gt, Le as AtMost

    from base import SIZE, Base, Shape, Share

    Activation = Literal["tanh", "relu"]
    Depth: TypeAlias = "int | None"
    RATE = 0.5


    @final
    class Plain:
        """Does it.

        More of it.

        Args:
            hidden_size: Width of
                the state,
                in units.
            activation (Activation): One of two.
            **others: Not an option.

        Returns:
            activation: Not this.
        """

        def __init__(
            self,
            input_size: int,
            flag: bool = True,
            *,
            hidden_size: int = 256,
            activation: Activation = "tanh",
            depth: Depth = None,
            rate: float = RATE,
            low: float = -1e-3,
            sizes: tuple[int, ...] = (1, 2),
            pair: "tuple[int, str]" = (1, "a"),
            names: list[str],
            table: dict[str, float] | None = None,
            old: Optional[str] = None,
            both: typing.Union[int, str] = 1,
            form: t.Literal["x", 1, True, None] = None,
            size: int = SIZE,
            shape: Shape = "flat",
            layers: Annotated[int, Ge(1), AtMost(SIZE)] = 1,
            scale: "typing.Annotated[float, Gt(-0.5)] | None" = None,
            shares: tuple[Share, ...] = (),
        ) -> None:
            """Builds.

            Args:
                low: Documented here.
            """


    class Inherited(Base):
        """Child.

        Args:
            width: Of the child.
        """


    class Bare(ABC):
        @abstractmethod
        def act(self) -> None:
            """Acts."""


    class Method:
        def predict(self, lines: list[str], *, beam_size: int = 5, sample: bool = False) -> list[str]:
            """Predicts.

            Args:
                lines: Not an option.
                beam_size: Width of the beam.
            """
            return lines


    class SubMethod(Method):
        pass


    def function(data: object, *, order: int = 5) -> None:
        """Fits.

        Args:
            order: Of the model.
        """
'''
BASE = '''
    from typing import Annotated, Literal, TypeAlias

    import annotated_types
    from annotated_types import Ge, Lt

    SIZE = 7
    Shape = Literal["flat", "round"]
    Share: TypeAlias = Annotated[float, Ge(0), Lt(1)]


    class Root:
        pass


    class Base(Root):
        """Parent.

        Args:
            width: Of the parent.
            shape: How it looks.
        """

        def __init__(self, x, *, width: int = SIZE, shape: Shape = "round", **_):
            pass
'''.replace(", **_", "")  # fmt: skip
COMPUTED = '''
    from dataclasses import dataclass, field
    from functools import partial, wraps
    from typing import Annotated

    import annotated_types as at
    import base

    class Follower(base.Base):
        """Child."""

    @dataclass(kw_only=True)
    class Data:
        """Data.

        Args:
            path: Where.
        """
        path: str
        size: int = 2 ** 3
        many: tuple[int, ...] = field(default=(3,))

    @dataclass(kw_only=True)
    class MoreData(Data):
        """More.

        Args:
            extra: Besides.
        """
        extra: bool = False

    class Computed:
        def __init__(self, *, rate: float = 1 / 4, top: "float | None" = float("inf")) -> None:
            pass

    class Bounded:
        def __init__(self, *, width: Annotated[int, at.Ge(1)] = 1, rate: base.Share = 0.0) -> None:
            pass

    class Reckoned:
        def __init__(self, *, width: Annotated[int, at.Lt(2 ** 3)] = 1) -> None:
            pass

    class Two(Computed, base.Base):
        pass

    def decorate(function):
        @wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @decorate
    def decorated(*, size: int = 1):
        pass

    if base:
        class Conditional:
            def __init__(self, *, size: "int" = 1):
                pass
'''


@pytest.fixture
def components(install: Install) -> None:
    install("a", {}, components=COMPONENTS, base=BASE, computed=COMPUTED)


def interpreted(target: str) -> dict[str, tuple[Any, Any]]:
    """Type and default of each keyword-only parameter, by the interpreter alone."""
    module, _, path = target.partition(":")
    thing = importlib.import_module(module)
    for attribute in path.split("."):
        thing = getattr(thing, attribute)
    function = thing.__init__ if isinstance(thing, type) else thing
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], REQUIRED if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


@pytest.mark.usefixtures("components")
@pytest.mark.parametrize(
    "name", ["Plain", "Inherited", "Bare", "Method", "Method.predict", "SubMethod.predict", "function"]
)
def test_reading_the_source_is_reading_the_signature_and_imports_nothing(name: str) -> None:
    read = options_of(f"components:{name}")
    assert not {"components", "base"} & set(sys.modules)
    assert {option.name: (option.type, option.default) for option in read.values()} == interpreted(
        f"components:{name}"
    )
    assert list(read) == list(interpreted(f"components:{name}"))


@pytest.mark.usefixtures("components")
@pytest.mark.parametrize(
    "name",
    ["Follower", "Data", "MoreData", "Computed", "Bounded", "Reckoned", "Two", "decorated", "Conditional"],
)
def test_what_the_source_does_not_say_is_imported(name: str) -> None:
    read = options_of(f"computed:{name}")
    assert {option.name: (option.type, option.default) for option in read.values()} == interpreted(
        f"computed:{name}"
    )
    assert "computed" in sys.modules


@pytest.mark.usefixtures("components")
def test_types_and_defaults_of_a_signature() -> None:
    options = options_of("components:Plain")
    assert options["hidden_size"] == Option("hidden_size", int, 256, "Width of the state, in units.")
    assert options["activation"] == Option("activation", Literal["tanh", "relu"], "tanh", "One of two.")
    assert options["depth"].type == int | None
    assert (options["rate"].default, options["low"].default, options["size"].default) == (0.5, -0.001, 7)
    assert options["layers"].type == Annotated[int, Ge(1), Le(7)]
    assert options["scale"].type == Annotated[float, Gt(-0.5)] | None
    assert options["shares"].type == tuple[Annotated[float, Ge(0), Lt(1)], ...]
    assert options["names"].required
    assert not options["old"].required
    assert options["low"].doc == "Documented here."
    assert options["pair"].doc == ""
    assert "input_size" not in options
    assert "flag" not in options


@pytest.mark.usefixtures("components")
def test_an_inherited_constructor_is_documented_by_parent_and_child() -> None:
    options = options_of("components:Inherited")
    assert {option.name: option.doc for option in options.values()} == {
        "width": "Of the child.",
        "shape": "How it looks.",
    }
    assert {option.name: option.doc for option in options_of("computed:Follower").values()} == {
        "width": "Of the parent.",
        "shape": "How it looks.",
    }
    assert options_of("computed:Data")["path"].doc == "Where."
    assert {name: option.doc for name, option in options_of("computed:MoreData").items()} == {
        "path": "Where.",
        "size": "",
        "many": "",
        "extra": "Besides.",
    }


@pytest.mark.usefixtures("components")
def test_docstrings_are_read_without_an_import() -> None:
    assert summary("components:Plain") == "Does it."
    assert documentation("components:Plain").startswith(
        "Does it.\n\nMore of it.\n\nArgs:\n    hidden_size: Width"
    )
    assert summary("components:Method.predict") == "Predicts."
    assert summary("components:function") == "Fits."
    assert summary("components:Bare") == ""
    assert paper("components:Plain") == 'Somebody 1999, "A paper".'
    assert "components" not in sys.modules


@pytest.mark.usefixtures("components")
def test_only_the_whole_documentation_is_worth_an_import() -> None:
    assert summary("computed:Conditional") == ""
    assert "computed" not in sys.modules
    assert documentation("computed:Data") == "Data.\n\nArgs:\n    path: Where."


def test_arguments_reads_google_style() -> None:
    docstring = """Head: not one.

    Args:
        a: First
            goes on: here.

            And here.
        b (int, optional): Second.
        *c: Third.
        d:
            Fourth.

    Raises:
        e: Not one.
    """
    assert arguments(docstring) == {
        "a": "First goes on: here. And here.",
        "b": "Second.",
        "c": "Third.",
        "d": "Fourth.",
    }
    assert arguments("") == {}


NOT_PLAIN = (
    "not made of int, float (or these with Ge, Gt, Le, Lt), str, bool, None, Literal, tuple, list or dict"
)
LONG = "typing.Annotated[str, Ge(ge=1)]"
EVEN = "typing.Annotated[int, MultipleOf(multiple_of=2)]"


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("size: int = 1, **rest", "takes **rest; write each option as a keyword-only parameter"),
        ("size=1", "option 'size' has no type"),
        ("where: Path = None", f"the type of option 'where' is <class 'pathlib.Path'>, {NOT_PLAIN}"),
        ("text: Annotated[str, Ge(1)] = ''", f"the type of option 'text' is {LONG}, {NOT_PLAIN}"),
        ("pair: Annotated[int, MultipleOf(2)]", f"the type of option 'pair' is {EVEN}, {NOT_PLAIN}"),
        ("table: dict[int, str]", f"the type of option 'table' is dict[int, str], {NOT_PLAIN}"),
        ("name: str = ''", "no option may be called 'name', which is the key of the component's own"),
        ("size: 'A' = 1", "the type A of option 'size' cannot be read: NameError: name 'A' is not defined"),
    ],
)
def test_a_signature_that_cannot_be_a_command_line_is_refused_by_name(
    install: Install, parameters: str, problem: str
) -> None:
    imports = (
        "from pathlib import Path\nfrom typing import Annotated\nfrom annotated_types import Ge, MultipleOf"
    )
    code = f"{imports}\nclass Foo:\n    def __init__(self, *, {parameters}): pass\n"
    install("foo-pkg", {"cells": {"foo": "foo:Foo"}}, foo=code)
    with pytest.raises(RunError) as refused:
        options_of(find("cell", "foo"))
    assert str(refused.value) == f"cell 'foo' of distribution 'foo-pkg' 1.0: {problem}"


def test_what_has_to_be_imported_and_cannot_be_says_why(install: Install) -> None:
    install("foo-pkg", {"cells": {"foo": "foo:Foo"}}, foo="import no_such\nFoo = no_such.Foo")
    with pytest.raises(RunError) as failed:
        options_of(find("cell", "foo"))
    assert str(failed.value) == (
        "cell 'foo' of distribution 'foo-pkg' 1.0 cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such'"
    )
    with pytest.raises(RunError, match=r"^foo:Bar cannot be imported: ModuleNotFoundError"):
        options_of("foo:Bar")


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
        (Literal["1", "2"], "1", "1"),
        (Literal[1, 2], "1", 1),
        (ATTENTION, "none", "none"),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[int, str], "[1, a]", (1, "a")),
        (list[float], "[1, 2.5]", [1.0, 2.5]),
        (dict[str, int], "{a: 1}", {"a": 1}),
        (tuple[tuple[int, int], ...], "[[1, 2], [3, 4]]", ((1, 2), (3, 4))),
        (SIZE, "1", 1),
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
        (int, 3.0, "expected an integer, got 3.0"),
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
            "colour": "data.colour: no such option of data 'files'",
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


def test_choices_are_what_can_be_typed() -> None:
    assert Option("x", ATTENTION).choices == ("additive", "dot", "general", "concat", "none")
    assert Option("x", bool | None).choices == ("true", "false", "null")
    assert Option("x", int | Literal["auto"]).choices == ()
    assert Option("x", int).choices == ()


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
