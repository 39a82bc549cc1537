from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn

from rnnx.core.nets.dropout import Dropout, dropout, mask

MANY = 1_000_000


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.5, 0.9])
def test_so_many_are_dropped_wherever_they_are_and_the_others_scaled(rate: float) -> None:
    torch.manual_seed(0)
    for drawn in (mask(torch.empty(MANY), rate), dropout(torch.ones(MANY), rate, training=True)):
        kept = drawn != 0
        torch.testing.assert_close(drawn[kept], torch.full((int(kept.sum()),), 1 / (1 - rate)))
        spread = 5 * math.sqrt(rate * (1 - rate) / MANY)
        assert float(kept.double().mean()) == pytest.approx(1 - rate, abs=spread)
        both = float((kept[1:] & kept[:-1]).double().mean())  # neighbours know nothing of each other
        assert both == pytest.approx((1 - rate) ** 2, abs=2 * spread)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_rate_is_that_of_32_bits_in_any_type(dtype: torch.dtype) -> None:
    """Of 8 bits, as bfloat16 has them, 0.001 could not be told from 0."""
    torch.manual_seed(0)
    drawn = mask(torch.empty(MANY, dtype=dtype), 0.001)
    assert drawn.dtype == dropout(drawn, 0.5, training=True).dtype == dtype
    assert float((drawn == 0).double().mean()) == pytest.approx(0.001, rel=0.2)


def test_every_call_draws_anew_and_a_seed_draws_again() -> None:
    x = torch.ones(50, 40)
    torch.manual_seed(1)
    first, second = (dropout(x, 0.5, training=True) for _ in range(2))
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5, training=True), first)
    assert not torch.equal(first, second)


def test_the_gradient_is_what_it_multiplied_with() -> None:
    x = torch.randn(6, 7, requires_grad=True)
    dropped = dropout(x, 0.5, training=True)
    dropped.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x, dropped)
    assert set(x.grad.flatten().tolist()) == {0.0, 2.0}


def test_at_the_ends_all_is_kept_or_none() -> None:
    x = torch.randn(3, 4)
    assert torch.equal(dropout(x, 0.0, training=True), x)
    assert torch.equal(dropout(x, 1.0, training=True), torch.zeros(3, 4))
    assert dropout(torch.empty(0, 2), 0.5, training=True).shape == (0, 2)


@pytest.mark.parametrize("p", [-0.1, 1.5])
@pytest.mark.parametrize("training", [True, False])
def test_what_is_no_probability_is_refused(p: float, training: bool) -> None:
    with pytest.raises(ValueError, match="probability"):
        dropout(torch.ones(3), p, training)
    with pytest.raises(ValueError, match="probability"):
        Dropout(p).train(training)(torch.ones(3))


def test_as_a_module_it_is_torchs_that_drops_in_training_alone() -> None:
    module, x = Dropout(0.5), torch.ones(1000)
    assert isinstance(module, nn.Dropout)
    assert set(module(x).tolist()) == set(nn.Dropout(0.5)(x).tolist()) == {0.0, 2.0}
    assert torch.equal(module.eval()(x), x)
    assert module.state_dict() == {}


def test_it_is_compiled_as_a_whole() -> None:
    whole = torch.compile(partial(dropout, p=0.5, training=True), fullgraph=True, backend="eager")
    assert set(whole(torch.ones(1000)).tolist()) == {0.0, 2.0}
