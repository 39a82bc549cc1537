from __future__ import annotations

import numpy as np
import torch

from rnnx.cells.recurrence import linear


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def test_it_is_the_recurrence_step_by_step() -> None:
    torch.manual_seed(0)
    f, b, c = doubles(2, 4, 3), doubles(2, 4, 3), doubles(2, 3)
    found = linear(f, b, c).detach().numpy()
    memory = c.detach().numpy()
    for t in range(4):
        memory = f.detach().numpy()[:, t] * memory + b.detach().numpy()[:, t]
        np.testing.assert_allclose(found[:, t], memory, rtol=0, atol=1e-14)


def test_gradients_of_first_and_second_order_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    for steps in (1, 4):
        given = doubles(2, steps, 3), doubles(2, steps, 3), doubles(2, 3)
        assert torch.autograd.gradcheck(linear, given)
        assert torch.autograd.gradgradcheck(linear, given)


def test_the_widest_type_is_kept() -> None:
    """Gates of 16 bits do not round the memory: 256 + 1 is 257, which bfloat16 cannot say."""
    ones = torch.ones(1, 1, 1, dtype=torch.bfloat16)
    found = linear(ones, ones, torch.full((1, 1), 256.0))
    assert found.item() == 257
