from __future__ import annotations

import gc
import random
import weakref
from abc import ABC
from collections import deque
from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any, Generic, TypeVar

import numpy as np
import pytest
import torch
from torch import nn

from rnnx.core.unrolling.fingerprint import fingerprint
from rnnx.core.unrolling.trace import UntraceableError

Kind = TypeVar("Kind")


class Settings:
    def __init__(self, rate: Any) -> None:
        self.rate = rate

    def scaled(self) -> Any:
        return 2 * self.rate


class Listed(list):
    pass


class Slotted:
    __slots__ = ("rate",)

    def __init__(self, rate: float) -> None:
        self.rate = rate


class Bare(ABC):  # noqa: B024
    def __init__(self, rate: float) -> None:
        self.rate = rate


class Typed(Generic[Kind]):
    def __init__(self, rate: float) -> None:
        self.rate = rate


def times(factor: Any) -> Callable[[Any], Any]:
    def product(value: Any) -> Any:
        return factor * value

    return product


def tied(same: bool) -> nn.Module:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    if same:
        module[1].weight = module[0].weight
    return module


def with_hook() -> nn.Module:
    module = nn.Linear(2, 2)
    module.register_forward_hook(lambda *_: None)
    return module


SHARED = nn.ReLU()


@pytest.mark.parametrize(
    ("make", "others"),
    [
        (lambda: [1, (2.0, "a")], [[1, (2, "a")], [1, [2.0, "a"]], [True, (2.0, "a")], [1]]),
        (lambda: {"a": 1, "b": 2}, [{"a": 1, "b": 3}, {"b": 2, "a": 1}, {"a": 1}]),
        (lambda: {1}, [{2}, [1]]),
        (lambda: slice(1, 2), [slice(1, 3), slice(2, 2), slice(1, 2, 1), (1, 2, None)]),
        (lambda: Settings(0.1), [Settings(0.2), Settings("0.1"), 0.1]),
        (lambda: Settings([1]), [Settings([2])]),
        (lambda: Settings(1).scaled, [Settings(2).scaled, Settings(1)]),
        (lambda: nn.Dropout(0.5), [nn.Dropout(0.4), nn.Dropout(0.5).eval(), nn.AlphaDropout(0.5)]),
        (lambda: nn.Sequential(nn.ReLU(), nn.Tanh()), [nn.Sequential(nn.Tanh(), nn.ReLU())]),
        (lambda: nn.Sequential(nn.ReLU(), nn.ReLU()), [nn.Sequential(SHARED, SHARED)]),
        (lambda: tied(same=True), [tied(same=False)]),
        (lambda: torch.tanh, [torch.sigmoid]),
        (lambda: Slotted(1.0), [Slotted(2.0)]),
        (lambda: Bare(1.0), [Bare(2.0)]),
        (lambda: Typed(1.0), [Typed(2.0)]),
        (lambda: partial(max, 1), [partial(max, 2), partial(min, 1), partial(max, 1, key=abs)]),
        (lambda: times(2), [times(3), times("2")]),
        (lambda: torch.ones(2, 3), [torch.ones(3, 2), torch.ones(2, 3).double()]),
        (lambda: torch.float32, [torch.float64]),
        (lambda: None, [False, 0]),
    ],
)
def test_what_is_made_alike_is_equal_and_else_it_is_not(make: Callable[[], Any], others: list[Any]) -> None:
    assert fingerprint(make()) == fingerprint(make())
    assert hash(fingerprint(make())) == hash(fingerprint(make()))
    assert all(fingerprint(make()) != fingerprint(other) for other in others)


def test_what_has_no_parts_is_equal_to_itself_alone() -> None:
    one = object()
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(object())


def test_a_change_within_is_seen() -> None:
    module = nn.ModuleList([nn.Dropout(0.1)])
    before = fingerprint(module)
    module[0].p = 0.2
    assert fingerprint(module) != before


def test_an_object_may_hold_itself() -> None:
    around: list[Any] = [1]
    around.append(around)
    again: list[Any] = [1]
    again.append(again)
    assert fingerprint(around) == fingerprint(again)
    settings = Settings(1)
    settings.rate = settings.scaled
    assert fingerprint(settings) == fingerprint(settings)


def test_weights_are_kept_out_and_not_kept_alive() -> None:
    module = nn.Linear(2, 3)
    weight, key = weakref.ref(module.weight), fingerprint([module, torch.ones(2)])
    assert key == fingerprint([nn.Linear(2, 3), torch.zeros(2)])
    assert fingerprint(with_hook()) == fingerprint(nn.Linear(2, 2))
    del module
    gc.collect()
    assert weight() is None


@pytest.mark.parametrize("value", [deque(), np.zeros(2), weakref.ref(Listed())])
def test_what_can_be_changed_without_a_trace_is_refused(value: Any) -> None:
    with pytest.raises(
        UntraceableError,
        match=rf"^may depend on an attribute of type {type(value).__name__}; make it a buffer$",
    ):
        fingerprint(Settings(value))


@pytest.mark.parametrize("value", [torch.Generator(), random.Random(1), np.random.default_rng(1)])
def test_a_generator_of_random_numbers_is_refused(value: Any) -> None:
    with pytest.raises(UntraceableError, match=r"^may draw random numbers from a \w+ of its own$"):
        fingerprint(Settings([value]))


TABLE, SHAPES = {"rate": 1.0}, SimpleNamespace(scale=1.0)
MODULE = ModuleType("module_of_a_test")
MODULE.__dict__["scale"] = 1.0


def enclosed(scale: float) -> tuple[type, Callable[[float], None]]:
    class Enclosing:
        def step(self, x: float) -> float:
            return x * scale

    def change(number: float) -> None:
        nonlocal scale
        scale = number

    return Enclosing, change


class Naming:
    table = {"rate": 1.0}  # noqa: RUF012

    def step(self, x: float) -> float:
        return x * self.table["rate"] * TABLE["rate"] * SHAPES.scale * MODULE.scale


ENCLOSING, set_enclosed = enclosed(1.0)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Naming, lambda number: Naming.table.update(rate=number)),
        (Naming, lambda number: TABLE.update(rate=number)),
        (Naming, lambda number: setattr(SHAPES, "scale", number)),
        (Naming, lambda number: setattr(MODULE, "scale", number)),
        (ENCLOSING, set_enclosed),
    ],
    ids=["of its class", "of its module", "an object", "another module", "enclosed"],
)
def test_what_becomes_of_what_a_method_names_is_seen(kind: type, change: Callable[[float], None]) -> None:
    before = fingerprint(kind())
    assert fingerprint(kind()) == before
    change(2.0)
    assert fingerprint(kind()) != before
    change(1.0)


def test_the_defaults_of_each_function_are_seen() -> None:
    def inner(x: float, gain: float = 2.0) -> float:
        return gain * x

    def outer(x: float, shift: float = 1.0) -> float:
        return inner(x) + shift

    before = fingerprint(outer)
    inner.__defaults__ = (3.0,)
    assert fingerprint(outer) != before


def test_what_encloses_its_owner_does_not_keep_it_alive() -> None:
    def made() -> Settings:
        settings = Settings(1)
        settings.rate = [partial(settings.scaled), lambda: settings.rate]
        return settings

    settings = made()
    gone, key = weakref.ref(settings), fingerprint(settings)
    assert key == fingerprint(made())
    del settings
    gc.collect()
    assert gone() is None
