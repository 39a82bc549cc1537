from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnx.core.declarations.source import Source, Unreadable, locate, obstacle

Install = Callable[..., Path]  # see conftest.py


@pytest.mark.parametrize(
    "name", ["json", "json.decoder", "email.mime.text", "rnnx.core.declarations.source", "math", "sys"]
)
def test_locate_finds_the_file_that_an_import_would_read(name: str) -> None:
    found = locate(name)
    assert found is not None
    assert found.origin == importlib.import_module(name).__spec__.origin


@pytest.mark.parametrize(
    "name", ["no_such", "json.no_such", "json.decoder.no_such", "os.path.no", "rnnx.no_such"]
)
def test_locate_finds_nothing_where_there_is_nothing(name: str) -> None:
    assert locate(name) is None


def test_locate_runs_no_code_of_the_parents(install: Install) -> None:
    install("a", {}, **{"heavy/__init__": "raise RuntimeError", "heavy/light": ""})
    assert locate("heavy.light") is not None
    assert "heavy" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "",
        "X = 1\nX = 2",
        "X = 1\ndel X",
        "X, Y = 1, 2",
        "if True:\n    X = 1",
        "try:\n    X = 1\nexcept Exception:\n    X = 2",
        "for X in (1,): pass",
        "from os import *\nX = 1",
        "Y = [X for X in (1, 2)]",
    ],
)
def test_a_name_that_only_running_the_code_would_tell_is_unreadable(install: Install, source: str) -> None:
    install("a", {}, unsure=source)
    with pytest.raises(Unreadable):
        Source.of("unsure").binding("X")


@pytest.mark.parametrize(
    "source",
    [
        "from annotated_types import Ge\nX: Annotated[int, Ge(1 + 1)]",
        "from annotated_types import Ge\nX: Annotated[int, Ge(ge=1)]",
        "from annotated_types import MultipleOf\nX: Annotated[int, MultipleOf(2)]",
        "from annotated_types import Ge\nX: Annotated[int, Ge]",
        "from annotated_types import Ge\nif X:\n    def Ge(x): pass\nX: Annotated[int, Ge(1)]",
        "def Ge(limit): pass\nX: Annotated[int, Ge(1)]",
        "X: Annotated[int, 'of a kind']",
    ],
)
def test_a_bound_that_is_not_written_out_is_unreadable(install: Install, source: str) -> None:
    install("a", {}, bounded=f"from typing import Annotated\n{source}")
    read = Source.of("bounded")
    annotated = read.tree.body[-1]
    assert isinstance(annotated, ast.AnnAssign)
    with pytest.raises(Unreadable):
        read.annotation(annotated.annotation)


CLASS = "class C: pass"
NO_MODULE = "ModuleNotFoundError: No module named 'no_such'"


@pytest.mark.parametrize(
    ("modules", "problem"),
    [
        ({"p": f"import json\n{CLASS}"}, None),
        ({"p": f"import json, no_such.deep\n{CLASS}"}, NO_MODULE),
        ({"p": f"from no_such import x\n{CLASS}"}, NO_MODULE),
        ({"p": f"try:\n    import no_such\nexcept ImportError:\n    pass\n{CLASS}"}, None),
        ({"p": f"import os.path\nimport xml.dom.minidom\n{CLASS}"}, None),
        ({"p": "raise RuntimeError('boom')"}, "RuntimeError('boom')"),
        ({"p": ""}, "AttributeError: module 'p' has no attribute 'C'"),
        ({"p/__init__": "from p.m import C", "p/m": CLASS}, None),
        ({"p/__init__": "import p.m", "p/m": "import no_such"}, NO_MODULE),
        ({"p/__init__": f"from . import m\n{CLASS}", "p/m": "import no_such"}, NO_MODULE),
        ({"p/__init__": f"from .m import x\n{CLASS}", "p/m": "import no_such"}, NO_MODULE),
        ({"p/__init__": "from p.m import C", "p/m": ""}, "ImportError: cannot import name 'C' from 'p.m'"),
        ({"p/__init__": "from p.m import C", "p/m": "def __getattr__(name): return name"}, None),
        (
            {
                "p/__init__": "from p.m import C",
                "p/m": "import p\nfrom p import n\nC = n",
                "p/n": "import p.m",
            },
            None,
        ),
    ],
)
def test_an_obstacle_is_found_exactly_where_the_import_fails(
    install: Install, modules: dict[str, str], problem: str | None
) -> None:
    install("a", {}, **modules)
    assert obstacle("p:C") == problem
    try:
        failed = not hasattr(importlib.import_module("p"), "C")
    except Exception:
        failed = True
    assert failed == (problem is not None)


def test_a_file_that_does_not_parse_is_an_obstacle(install: Install) -> None:
    install("a", {}, a="class C:\n    def f(:\n")
    assert str(obstacle("a:C")).startswith("SyntaxError: invalid syntax")
    assert str(obstacle("a:C")).endswith("a.py, line 2)")
