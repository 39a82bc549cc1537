"""What plans start from: the inputs where all but products is in C, and else what the cell makes of them."""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.kernels.layout import UnwritableError
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.plan import Kernels, taken_apart
from rnnx.core.unrolling.plans import plan_of
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations
from tests.core.unrolling.kernels.in_c import ALL, in_c

N, T, P, H = 4, 6, 3, 5
LENGTHS = torch.tensor([6, 2, 4, 1])


class Gate(Cell, ABC):
    """A gate of the input and of the memory; each test makes a class of its own of it."""

    input_size, output_size, state_sizes = P, H, (H,)

    def __init__(self) -> None:
        super().__init__()
        self.input, self.recurrent = nn.Linear(P, 2 * H), nn.Linear(H, H, bias=False)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        candidate, f = z.chunk(2, -1)
        h = state[0] + torch.sigmoid(f + self.recurrent(state[0])) * (torch.tanh(candidate) - state[0])
        return h, (h,)


def given_to() -> tuple[Tensor, State]:
    return torch.randn(N, T, P, requires_grad=True), (torch.randn(N, H, requires_grad=True),)


def start_of(cell: Cell) -> Start:
    x, state = given_to()
    plan = plan_of(cell, x[:, 0], state)
    assert plan is not None
    return plan.start


def as_the_loop(cell: Cell) -> None:
    """Outputs, gradients, and the gradients of their squares' sum."""
    x, state = given_to()
    of = [x, *state, *cell.parameters()]
    outcomes = []
    for way in (scan, loop):
        torch.manual_seed(1)
        y, last = way(cell, x, LENGTHS, state)
        first = torch.autograd.grad(y.square().sum() + last[0].sum(), of, create_graph=True)
        second = torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), of)
        outcomes.append([y, *last, *first, *second])
    torch.testing.assert_close(*outcomes, rtol=1e-4, atol=1e-5)


def test_a_bias_is_added_in_the_steps_and_the_product_is_made_of_all_rows() -> None:
    class Plain(Gate):
        pass

    cell = Plain()
    as_the_loop(cell)
    assert start_of(cell) is Start.INPUTS
    rows, state = torch.randn(N * T, P), (torch.randn(N, H),)
    plan = taken_apart(cell, rows, state, Kernels.C, start=Start.INPUTS)
    assert in_c(plan) == [ALL, ALL]
    with Operations() as counted:
        unrolled(plan, cell, rows, [N] * T, state)
    assert counted.products() == 1
    assert not {ATEN.addmm.default, ATEN.add.Tensor} & counted.counts.keys()


class Summed(Gate, ABC):
    """What C has no words for."""

    def project(self, x: Tensor) -> Tensor:
        return super().project(x).cumsum(-1)


class Dropped(Gate, ABC):
    """Random numbers of all rows, which are drawn before the steps."""

    def project(self, x: Tensor) -> Tensor:
        return super().project(F.dropout(x, 0.5, self.training))


class Deciding(Gate, ABC):
    """By the values of a tensor, which no plan holds; a step may."""

    def project(self, x: Tensor) -> Tensor:
        return super().project(x if float(x.detach().abs().max()) > 1e-9 else x + 1e-9)


@pytest.mark.parametrize("base", [Summed, Dropped, Deciding], ids=lambda base: base.__name__)
def test_where_inputs_are_projected_in_another_way_the_step_is_in_c_and_nothing_is_said(
    base: type[Gate],
) -> None:
    cell = type("Other", (base,), {})()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_the_loop(cell)
    assert start_of(cell) is Start.PROJECTED
    x, state = given_to()
    assert in_c(plan_of(cell, x[:, 0], state)) == [ALL, ALL]


def test_what_mixes_rows_is_projected_before() -> None:
    class Centred(Gate):
        def project(self, x: Tensor) -> Tensor:
            return super().project(x - x.mean(0, keepdim=True) if x.dim() == 2 else x)

    cell = Centred()
    as_the_loop(cell)
    assert start_of(cell) is Start.PROJECTED


def test_a_plan_from_the_inputs_is_whole_in_c_or_none() -> None:
    class Other(Summed):
        pass

    rows, state = torch.randn(N, P), (torch.randn(N, H),)
    with pytest.raises(UnwritableError):
        taken_apart(Other(), rows, state, Kernels.C, start=Start.INPUTS)


@pytest.mark.parametrize(
    "change",
    [
        lambda kind, patch: patch.setattr(kind, "project", lambda self, x: 2 * self.input(x)),
        lambda kind, patch: patch.setattr(kind, "scale", 3.0),
    ],
    ids=["method", "number"],
)
def test_another_way_to_project_is_met_anew(
    change: Callable[[type[Cell], pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scaled(Gate):
        scale = 0.5

        def project(self, x: Tensor) -> Tensor:
            return self.scale * super().project(x)

    cell = Scaled()
    as_the_loop(cell)
    assert start_of(cell) is Start.INPUTS
    change(Scaled, monkeypatch)
    as_the_loop(cell)
    assert start_of(cell) is Start.INPUTS


def test_inputs_without_a_gradient_have_none() -> None:
    class Fixed(Gate):
        pass

    cell = Fixed()
    x, state = given_to()
    x = x.detach()
    for way in (scan, loop):
        y, _ = way(cell, x, LENGTHS, state)
        y.sum().backward()
    assert x.grad is None
    plan = plan_of(cell, x[:, 0], state)
    assert plan is not None
    assert (plan.start, plan.to_z) == (Start.INPUTS, False)


def test_under_autocast_inputs_are_projected_before() -> None:
    class Halved(Gate):
        pass

    cell = Halved()
    x, state = given_to()
    with torch.autocast("cpu", torch.bfloat16):
        plan = plan_of(cell, x[:, 0], state)
        y, _ = scan(cell, x, LENGTHS, state)
        wanted, _ = loop(cell, x, LENGTHS, state)
    assert plan is not None
    assert plan.start is Start.PROJECTED
    torch.testing.assert_close(y, wanted, rtol=0.05, atol=0.05)
