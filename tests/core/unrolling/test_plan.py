from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core.state import State
from rnnx.core.unrolling.sorting import taken_apart
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.written import H, P, Written, elman, given_to

pytestmark = pytest.mark.usefixtures("doubles")


def test_a_plan_knows_no_length_and_no_number_of_rows() -> None:
    cell = Written(elman)
    plan = taken_apart(cell, *given_to(cell, 2))
    for sizes in ([1], [7, 7, 2], [3] * 30):
        z, state = torch.randn(sum(sizes), P), (torch.randn(sizes[0], H),)
        y, (h,) = unrolled(plan, cell, z, sizes, state)
        assert y.shape == (sum(sizes), H)
        assert h.shape == (sizes[0], H)


def test_a_plan_that_learns_and_one_that_does_not() -> None:
    cell = Written(elman)
    assert taken_apart(cell, *given_to(cell, 2)).learns
    assert taken_apart(cell, *given_to(cell, 2, learns=False)).learns
    with torch.no_grad():
        assert not taken_apart(cell, *given_to(cell, 2)).learns
    cell.requires_grad_(False)
    assert taken_apart(cell, *given_to(cell, 2)).learns
    assert not taken_apart(cell, *given_to(cell, 2, learns=False)).learns


@pytest.mark.parametrize(
    ("function", "draws"),
    [
        (elman, False),
        (lambda cell, z, h: (F.dropout(z, 0.5, cell.training), (h,)), True),
        (lambda cell, z, h: (z, (torch.where(torch.rand_like(h) < 0.5, h, -h),)), True),
        (lambda cell, z, h: (z, (h * torch.empty_like(h).bernoulli_(0.5),)), True),
    ],
)
def test_a_plan_says_whether_it_draws(function: Callable[..., tuple[Tensor, State]], draws: bool) -> None:
    cell = Written(function)
    assert taken_apart(cell, *given_to(cell, 2)).draws == draws


def test_in_evaluation_nothing_is_drawn() -> None:
    cell = Written(lambda cell, z, h: (F.dropout(z, 0.5, cell.training), (h,))).eval()
    assert not taken_apart(cell, *given_to(cell, 2)).draws


@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.bfloat16], ids=str)
def test_the_types_of_the_state(dtype: torch.dtype) -> None:
    cell = Written(elman).to(dtype)
    plan = taken_apart(cell, torch.zeros(1, P, dtype=dtype), (torch.zeros(1, H, dtype=dtype),))
    assert list(plan.dtypes) == [dtype]


def test_the_types_of_the_state_under_autocast_are_those_it_takes_on() -> None:
    cell = Written(lambda cell, z, h: (z, (cell.recurrent(h),))).float()
    with torch.autocast("cpu", torch.bfloat16):
        plan = taken_apart(cell, torch.zeros(1, P).float(), (torch.zeros(1, H).float(),))
    assert list(plan.dtypes) == [torch.bfloat16]
