from __future__ import annotations

import pytest

from rnnx.core.nets import products

PROCESSORS = {"wide": (True, True), "halves": (True, False), "other": (False, False)}


@pytest.fixture(params=PROCESSORS.values(), ids=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, bool]:
    """Whether oneDNN multiplies from a million multiplications on, and matrices that are turned too."""
    pays, turns = request.param
    monkeypatch.setattr(products, "PAYS", pays)
    monkeypatch.setattr(products, "TURNS", turns)
    monkeypatch.setattr(products, "LARGE", 2**20)
    return pays, turns
