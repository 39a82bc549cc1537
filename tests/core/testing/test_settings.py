from __future__ import annotations

from typing import Any, Literal

import pytest

from rnnx.core.options import Option
from rnnx.core.testing.settings import settings


def found(options: list[Option], **plain: Any) -> list[tuple[dict[str, Any], str]]:
    return list(settings("cell", "cell 'it'", {option.name: option for option in options}, plain))


def test_the_plain_setting_comes_first_and_then_each_value_that_can_be_counted_alone() -> None:
    size, gated = Option("size", int, 6), Option("gated", bool, False)
    activation = Option("activation", Literal["tanh", "relu", "sigmoid"], "relu")
    plain = {"size": 24, "gated": False, "activation": "relu"}
    assert found([size, gated, activation], size=24) == [
        (plain, ""),
        (plain | {"gated": True}, "cell.gated=true"),
        (plain | {"activation": "tanh"}, "cell.activation=tanh"),
        (plain | {"activation": "sigmoid"}, "cell.activation=sigmoid"),
    ]


def test_values_are_of_their_types_and_what_cannot_be_counted_stays() -> None:
    depth, off = Option("depth", Literal[1, 2] | None, None), Option("off", bool, True)
    others = [Option("rate", float, 0.5), Option("title", str, "it"), Option("sizes", tuple[int, ...], (1,))]
    default = (None, True, 0.5, "it", (1,))
    assert [tuple(values.values()) for values, _ in found([depth, off, *others])] == [
        default,
        (1, *default[1:]),
        (2, *default[1:]),
        (None, False, *default[2:]),
    ]


def test_what_is_plain_is_not_set_again() -> None:
    gated = Option("gated", bool, False)
    assert found([gated], gated=True) == [({"gated": True}, ""), ({"gated": False}, "cell.gated=false")]


def test_without_a_section_only_the_option_is_named() -> None:
    (_, (_, setting)) = settings("", "predict", {"scores": Option("scores", bool, False)}, {})
    assert setting == "scores=true"


def test_an_option_without_a_default_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"^cell.depth: option of cell 'it' is required$"):
        found([Option("depth", int)])
