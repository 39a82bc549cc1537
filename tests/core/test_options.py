from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt

from rnnx.core.errors import RunError
from rnnx.core.options import REQUIRED, Option, options_of
from rnnx.core.registry import find

Install = Callable[..., Path]  # see conftest.py


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


NOT_PLAIN = (
    "not made of int, float (or these with Ge, Gt, Le, Lt), str, bool, None, Literal, tuple, list or dict; "
    "a path is a str"
)
LONG = "typing.Annotated[str, Ge(ge=1)]"
EVEN = "typing.Annotated[int, MultipleOf(multiple_of=2)]"


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("size: int = 1, **rest", "takes **rest; write each option as a keyword-only parameter"),
        ("size=1", "option 'size' has no type"),
        ("where: Path = None", f"the type of option 'where' is {Path}, {NOT_PLAIN}"),
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


def test_an_option_before_the_star_is_refused_whether_read_or_imported(install: Install) -> None:
    code = "class Foo:\n    def __init__(self, x, size: int = 1, *, more: int = 2): pass\nBar = (Foo,)[0]"
    install("foo-pkg", {"cells": {"foo": "foo:Foo", "bar": "foo:Bar"}}, foo=code)
    for name in ("foo", "bar"):
        with pytest.raises(RunError) as refused:
            options_of(find("cell", name))
        assert str(refused.value) == (
            f"cell '{name}' of distribution 'foo-pkg' 1.0: size has a default, but nobody can set it, as "
            "options are keyword-only; write a * before it (*, size, ...)"
        )


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
