"""A plan is compared with the steps where these are certain of what they give."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.state import State
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.against_the_loop import Elman, P

pytestmark = pytest.mark.usefixtures("doubles")


class Divided(Elman):
    """A mean weighted by exponentials, the sum of whose weights is positive in use."""

    output_size, state_sizes = 256, (256, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, 512), nn.Linear(256, 512)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, total, weight = state
        i, g = (self.input(z) + self.recurrent(h)).chunk(2, -1)
        total, weight = total + i.exp() * g.tanh(), weight + i.exp()
        return total / weight, (total / weight, total, weight)


class Decaying(Elman):
    """A memory that grows for ever if a time is negative, as none is that is projected."""

    output_size, state_sizes = 256, (256,)

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Linear(P, 256)
        self.rates = nn.Parameter(torch.full((256,), 30.0))

    def project(self, x: Tensor) -> Tensor:
        return F.softplus(self.input(x))

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = (-z * self.rates).exp() * state[0] + z
        return h, (h,)


@pytest.mark.parametrize("kind", [Divided, Decaying])
def test_a_plan_is_compared_where_the_steps_themselves_are_certain(kind: type[Elman]) -> None:
    """A warning is an error here."""
    cell = kind().float()
    x = torch.randn(2, P, dtype=torch.float32, requires_grad=True)
    assert (
        plan_of(cell, cell.project(x), tuple(x.new_zeros(2, size) for size in cell.state_sizes)) is not None
    )
