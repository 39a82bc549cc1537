from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from rnnx.core.unrolling.circumstances import Circumstances, seed, transformed, watched


def test_they_are_made_once_more_and_then_as_before() -> None:
    module = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5).eval())
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        then = Circumstances.of(module, torch.device("cpu"), draws=True)
    first = torch.rand(3)
    module.train()
    module[0].eval()
    stands = torch.get_rng_state()
    with then.again(module):
        assert torch.equal(torch.rand(3), first)
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.bfloat16
        assert [part.training for part in module] == [True, False]
    assert torch.equal(torch.get_rng_state(), stands)
    assert not torch.is_autocast_enabled("cpu")
    assert [part.training for part in module] == [False, True]


def test_without_draws_the_generator_goes_on_and_without_autocast_there_is_none() -> None:
    module = nn.Dropout(0.5)
    then = Circumstances.of(module, torch.device("cpu"), draws=False)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16), then.again(module):
        found = torch.rand(1)
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.float32
    assert torch.equal(torch.cat((found, torch.rand(1))), expected)


def test_modes_come_back_after_an_error() -> None:
    module = nn.Dropout(0.5)
    then = Circumstances.of(module.eval(), torch.device("cpu"), draws=False)
    module.train()
    with pytest.raises(ZeroDivisionError), then.again(module):
        raise ZeroDivisionError
    assert module.training


def test_no_other_devices_generators_are_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    seed(torch.device("cpu"), 3)
    found = torch.rand(2)
    assert torch.equal(found, torch.rand(2, generator=torch.Generator().manual_seed(3)))
    assert seeded == []


def test_transformations_are_seen() -> None:
    seen: list[bool] = []

    def look(x: torch.Tensor) -> torch.Tensor:
        assert transformed() is watched()
        seen.append(transformed())
        return x.sum()

    x = torch.ones(2, 3)
    look(x)
    torch.func.grad(look)(x)
    torch.func.vmap(look)(x)
    with forward_ad.dual_level():
        look(x)
    look(x)
    assert seen == [False, True, True, True, False]
