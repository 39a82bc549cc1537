from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.in_c import elementwise

UNIT = 2.0**-23  # in the last place of 1


@pytest.mark.parametrize(
    ("operation", "exact"),
    [
        (ATEN.exp.default, math.exp),
        (ATEN.tanh.default, math.tanh),
        (ATEN.sigmoid.default, lambda x: 1 / (1 + math.exp(-x))),
        (ATEN.expm1.default, math.expm1),
    ],
    ids=["exp", "tanh", "sigmoid", "expm1"],
)
def test_what_it_computes_is_right_to_three_units_in_the_last_place(
    operation: Any, exact: Callable[[float], float]
) -> None:
    """Of Python's own, of 64 bits, wherever the result is no smaller than the smallest normal number."""
    small = [sign * 10.0**power for sign in (-1, 1) for power in range(-30, 0)]
    x = torch.tensor([*torch.linspace(-87, 88, 40_001).tolist(), *small, 0.0, -0.0]).unsqueeze(0)
    found = elementwise(operation, x)[0].double()
    wanted = torch.tensor([exact(value) for value in x[0].tolist()], dtype=torch.double)
    unit = UNIT * 2 ** wanted.abs().clamp_min(2.0**-126).log2().floor()
    assert float(((found - wanted).abs() / unit).max()) < 3


@pytest.mark.parametrize(
    ("operation", "exact"),
    [(ATEN.log.default, math.log), (ATEN.log1p.default, math.log1p)],
    ids=["log", "log1p"],
)
def test_logarithms_are_right_to_three_units_in_the_last_place(
    operation: Any, exact: Callable[[float], float]
) -> None:
    near = torch.linspace(0.001, 10, 40_001).tolist()
    x = torch.tensor([*near, *(10.0**power for power in range(-44, 39))]).unsqueeze(0)
    found = elementwise(operation, x)[0].double()
    wanted = torch.tensor([exact(value) for value in x[0].tolist()], dtype=torch.double)
    unit = UNIT * 2 ** wanted.abs().clamp_min(2.0**-126).log2().floor()
    assert float(((found - wanted).abs() / unit).max()) < 3


def test_the_logarithm_of_what_has_none_is_torchs() -> None:
    x = torch.tensor([[0.0, -0.0, -1.0, math.inf, -math.inf, math.nan]])
    found = elementwise(ATEN.log.default, x)
    torch.testing.assert_close(found, x.log(), rtol=0, atol=0, equal_nan=True)


def test_at_the_ends_numbers_are_what_they_should_be() -> None:
    inf, nan = math.inf, math.nan
    x = torch.tensor([[-inf, -200.0, -100.0, 88.0, 88.7, 89.0, 200.0, inf, nan]])
    exp = elementwise(ATEN.exp.default, x)
    assert exp[0, [0, 1]].tolist() == [0, 0]
    assert exp[0, 2] == pytest.approx(3.8e-44, rel=0.05)  # below the normal numbers
    assert exp[0, 3:5].tolist() == pytest.approx([math.exp(value) for value in x[0, 3:5].tolist()], rel=4e-7)
    assert exp[0, 5:8].tolist() == [inf] * 3
    assert exp[0, 8].isnan()
    sigmoid, tanh = elementwise(ATEN.sigmoid.default, x), elementwise(ATEN.tanh.default, x)
    assert sigmoid[0, :8].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert tanh[0, :8].tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    assert sigmoid[0, 8].isnan()
    assert tanh[0, 8].isnan()
