from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from torch import nn

from rnnx.core.unrolling.versions import version

FACTOR = 2.0
UNREAD = 1.0


def doubled(x: float) -> float:
    return x * FACTOR


def halved(x: float) -> float:
    return x / 2


def unchanged(function: Callable[..., float]) -> Callable[..., float]:
    @wraps(function)
    def call(*args: Any) -> float:
        return function(*args) if args else absent  # noqa: F821

    return call


class Base:
    act = round

    def shifted(self, x: float) -> float:
        return x + 1


class Cell(nn.Module, Base):
    rate = 0.5
    note, scaling = "unread", 1.0

    @unchanged
    def step(self, x: float) -> float:
        return self.rate * self.act(self.scaling) * sum(doubled(self.shifted(y)) for y in [x]) + self.offset

    @property
    def offset(self) -> float:
        return 0.0

    def project(self, x: float) -> float:
        return x * UNREAD


@pytest.fixture
def before() -> object:
    return version(Cell)


def other(self: Any, x: float) -> float:
    return 0.0


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(Cell, "step", other),
        lambda patch: patch.setattr(Cell, "rate", 0.25),
        lambda patch: patch.setattr(Cell, "shifted", other, raising=False),
        lambda patch: patch.setattr(Cell, "scaling", 3.0),
        lambda patch: patch.setattr(Base, "act", abs),
        lambda patch: patch.setitem(globals(), "absent", 3.0),
        lambda patch: patch.setattr(Cell, "offset", property(lambda self: 1.0)),
        lambda patch: patch.setattr(Base, "shifted", other),
        lambda patch: patch.setitem(globals(), "FACTOR", 3.0),
        lambda patch: patch.setitem(globals(), "doubled", halved),
        lambda patch: patch.setattr(doubled, "__code__", halved.__code__),
        lambda patch: patch.setattr(Cell.step.__wrapped__, "__code__", other.__code__),
    ],
)
def test_a_change_of_what_a_step_leads_to_is_seen(
    before: object, change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version(Cell) is before
    change(monkeypatch)
    assert version(Cell) is not before
    assert version(Cell) is version(Cell)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(Cell, "note", "changed"),
        lambda patch: patch.setattr(Cell, "project", other),
        lambda patch: patch.setitem(globals(), "UNREAD", 2.0),
        lambda patch: patch.setitem(globals(), "rate", 2.0),
    ],
)
def test_what_it_does_not_lead_to_does_not_count(
    before: object, change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    assert version(Cell) is before


def test_each_class_has_its_own() -> None:
    assert version(Cell) is not version(Base)
    assert version(nn.Linear) is version(nn.Linear)
