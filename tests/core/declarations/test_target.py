from __future__ import annotations

import sys
from collections.abc import Callable
from json import JSONDecoder
from pathlib import Path

import pytest

from rnnx.core.declarations.source import Unreadable
from rnnx.core.declarations.target import UNREADABLE, definitions, imported, path_of, title_of
from rnnx.core.errors import RunError
from rnnx.core.registry import find

Install = Callable[..., Path]  # see conftest.py


@pytest.mark.usefixtures("components")
def test_the_classes_down_to_the_constructor_are_found_without_an_import() -> None:
    *_, (_, owner, constructor) = definitions("components:Inherited")
    names = [owner.name for _, owner, _ in definitions("components:Inherited")]
    assert names[0] == "Inherited"
    assert names[-1] == owner.name != "Inherited"
    assert constructor is not None
    assert constructor.name == "__init__"
    ((_, function, same),) = definitions("components:function")
    assert function is same
    assert not {"components", "base"} & set(sys.modules)


@pytest.mark.usefixtures("components")
@pytest.mark.parametrize("path", ["computed:decorated", "components:no_such", "no_such:Thing"])
def test_what_the_source_does_not_say_is_unreadable(path: str) -> None:
    with pytest.raises(UNREADABLE):
        definitions(path)


def test_a_plugin_is_named_with_where_it_comes_from(install: Install) -> None:
    install("foo-pkg", {"cells": {"foo": "foo:Foo"}}, foo="class Foo: pass")
    plugin = find("cell", "foo")
    assert (path_of(plugin), title_of(plugin)) == ("foo:Foo", "cell 'foo' of distribution 'foo-pkg' 1.0")
    assert imported(plugin).__name__ == "Foo"
    with pytest.raises(RunError, match=r"^foo:Bar cannot be imported"):
        imported("foo:Bar")


def test_a_thing_that_is_there_is_itself_and_in_no_file() -> None:
    assert imported(len) is len
    assert title_of(JSONDecoder.decode) == "JSONDecoder.decode"
    with pytest.raises(Unreadable, match=r"JSONDecoder\.decode"):
        path_of(JSONDecoder.decode)
