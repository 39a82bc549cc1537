"""What the page is made of; the page itself is opened in ``commands/test_play.py``."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le

from rnnx.cli.page import PICTURE, _examples, _fragment, _options
from rnnx.core.errors import UsageError
from rnnx.core.exhibits.bars import Bars
from rnnx.core.exhibits.exhibit import Text
from rnnx.core.exhibits.view import View
from rnnx.core.options import Option

OPTIONS = {
    "size": Option("size", Annotated[int, Ge(1), Le(9)], 4, "How large."),
    "rate": Option("rate", float | None, None),
    "mode": Option("mode", Literal["a", "b"], "a"),
    "sharp": Option("sharp", bool, False),
    "names": Option("names", list[str], []),
}


def show(line: str, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {}


def test_controls_say_what_they_hold_and_empty_ones_nothing() -> None:
    view = View("view", "", OPTIONS, show)
    defaults = {"size": 4, "rate": None, "mode": "a", "sharp": False, "names": []}
    assert _options(view, [None, None, None, None, ""]) == defaults
    given = {"size": 2, "rate": 1.0, "mode": "b", "sharp": True, "names": ["x", "y"]}
    assert _options(view, [2, 1, "b", True, "[x, y]"]) == given
    assert _options(view, [2, 0, "a", False, ""])["rate"] == 0


def test_what_is_wrong_in_a_control_is_said_in_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"^size: expected an integer from 1 to 9, got 10$"):
        _options(View("view", "", OPTIONS, show), [10, None, "a", False, ""])


def test_exhibits_stand_below_their_headings_and_texts_are_texts() -> None:
    html = _fragment({"<x>": Text("a < b"), "y": Bars.of([("z", 1.0)])})
    assert html.startswith("<h3>&lt;x&gt;</h3><p>a &lt; b</p><h3>y</h3><div>")


def test_examples_are_called_by_their_texts_or_their_numbers(tmp_path: Path) -> None:
    lines = ["una casa", " ", "y " * 100]
    named = _examples(View("view", "", {}, show), lines, tmp_path)
    assert list(named.values()) == ["una casa", "y " * 100]
    assert next(iter(named)) == "una casa"
    assert all(len(name) <= 60 for name in named)
    assert _examples(View("view", "", {}, show, "place"), ["a.npy"], tmp_path) == {"example 1": "a.npy"}


def test_pictures_among_examples_are_files(tmp_path: Path) -> None:
    lines = [PICTURE + base64.b64encode(b"picture").decode(), "there/it.png"]
    named = _examples(View("view", "", {}, show, "picture"), lines, tmp_path)
    assert Path(named["example 1"]).read_bytes() == b"picture"
    assert named["example 2"] == "there/it.png"
