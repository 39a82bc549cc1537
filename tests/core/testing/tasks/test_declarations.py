from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch

from rnnx.core.testing.tasks.declarations import (
    check_everything_public_is_documented,
    check_meta_is_plain,
    check_options_are_typed_and_documented,
)

CHECKS = [
    check_everything_public_is_documented,
    check_meta_is_plain,
    check_options_are_typed_and_documented,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_tasks_pass(
    check: Any, first: Any, sequences: Any, following: Any, texts: Any, but: Any
) -> None:
    check(first, sequences())
    check(following, texts())
    check(but(first), sequences())


def test_a_class_without_a_docstring(first: Any, sequences: Any, but: Any) -> None:
    with pytest.raises(AssertionError, match=r"^the class Wrong has no docstring$"):
        check_everything_public_is_documented(but(first, __doc__=None), sequences())


def test_a_method_without_a_docstring(first: Any, sequences: Any, but: Any) -> None:
    wrong = but(first, figures=lambda self, batch: {}, helper=lambda self: 1, _own=lambda self: 2)
    with pytest.raises(AssertionError, match=r"^method helper has no docstring$"):
        check_everything_public_is_documented(wrong, sequences())


def three(self: Any, net: Any, meta: Any, size: int = 3) -> None: ...
def none(self: Any, *, net: Any, meta: Any) -> None: ...
def untyped(self: Any, net: Any, meta: Any, *, size=3) -> None: ...
def of_another_type(self: Any, net: Any, meta: Any, *, size: object = 3) -> None: ...
def without_default(self: Any, net: Any, meta: Any, *, size: int) -> None: ...
def undocumented(self: Any, net: Any, meta: Any, *, size: int = 3) -> None: ...
def anything(self: Any, net: Any, meta: Any, **options: Any) -> None: ...


@pytest.mark.parametrize(
    ("constructor", "message"),
    [
        (three, "the positional parameters of the constructor are net, meta, size, expected net, meta alone"),
        (none, "the positional parameters of the constructor are none, expected net, meta alone"),
        (untyped, "Wrong: option 'size' has no type"),
        (of_another_type, "Wrong: the type of option 'size' is "),
        (without_default, "option 'size' of the constructor has no default"),
        (undocumented, "option 'size' of the constructor has no line under 'Args:'"),
        (anything, r"Wrong: takes \*\*options; write each option as a keyword-only parameter"),
    ],
)
def test_constructors_that_are_no_command_line(
    first: Any, sequences: Any, but: Any, constructor: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_options_are_typed_and_documented(but(first, __init__=constructor), sequences())


def by_place(self: Any, lines: Iterable[str], beam_size: int = 3) -> Iterator[str]: ...
def unsaid(self: Any, lines: Iterable[str], *, beam_size: int = 3) -> Iterator[str]: ...


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (by_place, "the positional parameters of predict are lines, beam_size, expected lines alone"),
        (unsaid, "option 'beam_size' of predict has no line under 'Args:'"),
    ],
)
def test_answers_whose_options_are_no_command_line(
    first: Any, sequences: Any, but: Any, predict: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_options_are_typed_and_documented(but(first, predict=predict), sequences())


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"sizes": [{"a": (1, 2)}]}, r"meta\['sizes'\]\[0\]\['a'\] is not plain data"),
        ({"names": {1: "a"}}, r"a key of meta\['names'\] is not plain data"),
        ({"rate": float("nan")}, r"meta\['rate'\] is not plain data"),
        ({"rate": torch.ones(1)}, "the meta of the data cannot be written as JSON: Object of type Tensor"),
        ({"names": {"a"}}, "the meta of the data cannot be written as JSON: Object of type set"),
    ],
)
def test_a_meta_that_is_more_than_plain_data(first: Any, sequences: Any, meta: Any, message: str) -> None:
    wrong = type("Wrong", (sequences,), {"meta": property(lambda self: meta)})
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_meta_is_plain(first, wrong())
