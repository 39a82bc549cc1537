"""What plans start from: the inputs where all but products is in C, and else what the cell makes of them."""

from __future__ import annotations

import logging
import warnings
from abc import ABC
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling import making, plans
from rnnx.core.unrolling.kernels.layout import UnwritableError
from rnnx.core.unrolling.operations import ATEN
from rnnx.core.unrolling.plans import plan_from_inputs, plan_of
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import Start
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.counting import Operations
from tests.core.unrolling.kernels.in_c import ALL, in_c

N, T, P, H = 4, 6, 3, 5
LENGTHS = torch.tensor([6, 2, 4, 1])
LOG, SEEN, ARRAYS = logging.getLogger(__name__), list[int](), {"mean": np.zeros(P)}


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
    """What the engine's plan starts from; there is one, in C."""
    x, state = given_to()
    x = 1 * x[:, 0]
    plan = plan_from_inputs(cell, x, state) or plan_of(cell, cell.project(x), state)
    assert in_c(plan) == [ALL, ALL]
    assert plan is not None
    return plan.start


def as_the_loop(cell: Cell) -> None:
    """Outputs, gradients, and the gradients of their squares' sum."""
    x, state = given_to()
    of = [x, *state, *cell.parameters()]
    outcomes = []
    for way in (scan, loop):
        torch.manual_seed(1)
        y, last = way(cell, 1 * x, LENGTHS, state)
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
    """By the values of a tensor."""

    def project(self, x: Tensor) -> Tensor:
        return super().project(x if float(x.detach().abs().max()) > 1e-9 else x + 1e-9)


class OutsideTorch(Gate, ABC):
    """By values that leave torch, and only far from those of a trial."""

    def project(self, x: Tensor) -> Tensor:
        far = np.abs(x.detach().numpy()).max() > 1e3 or max(map(max, x.tolist())) > 1e3
        return super().project(x / 1e3 if far else x)


class Averaging(Gate, ABC):
    """A buffer that may follow the inputs before the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(P))

    def project(self, x: Tensor) -> Tensor:
        return super().project(x - self.mean)


class OverAll(Gate, ABC):
    """Refuses a single row, in training."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(P, track_running_stats=False)

    def project(self, x: Tensor) -> Tensor:
        return super().project(self.norm(x))


class Overwriting(Gate, ABC):
    def project(self, x: Tensor) -> Tensor:
        return super().project(x.mul_(2))


class Noting(Gate, ABC):
    """What happens outside the cell."""

    def project(self, x: Tensor) -> Tensor:
        LOG.debug("projects %s", x.shape)
        SEEN.append(len(x))
        return super().project(x - torch.as_tensor(ARRAYS["mean"], dtype=x.dtype))


OTHERS = [Summed, Dropped, Deciding, OutsideTorch, Averaging, OverAll, Overwriting, Noting]


@pytest.mark.parametrize("base", OTHERS, ids=lambda base: base.__name__)
def test_where_inputs_are_projected_in_another_way_the_step_is_in_c_and_nothing_is_said(
    base: type[Gate],
) -> None:
    cell = type("Other", (base,), {})()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_the_loop(cell)
    assert start_of(cell) is Start.PROJECTED


def test_values_that_leave_torch_are_those_of_each_call() -> None:
    cell = type("Far", (OutsideTorch,), {})()
    x, state = given_to()
    for scale in (1.0, 1e5):
        far = (scale * x).detach()
        torch.testing.assert_close(scan(cell, far, None, state), loop(cell, far, None, state))


def test_a_step_that_takes_values_out_of_torch_is_made_step_by_step() -> None:
    class Stepping(Gate):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(z / 1e3 if max(map(max, z.tolist())) > 1e3 else z, state)

    cell, (x, state) = Stepping(), given_to()
    with pytest.warns(plans.StepByStepWarning, match=r"decides by the values of a tensor \(tolist\)"):
        found = scan(cell, 1e5 * x, None, state)
    torch.testing.assert_close(found, loop(cell, 1e5 * x, None, state))


def test_what_is_read_alone_may_be_changed_before_the_way_back() -> None:
    cell = type("Following", (Averaging,), {})()
    x, state = given_to()
    for way in (scan, loop):
        y, _ = way(cell, x, LENGTHS, state)
        cell.mean.lerp_(x.detach().mean((0, 1)), 0.1)
        y.sum().backward()
    assert cell.input.weight.grad is not None


def test_another_module_may_begin_to_learn() -> None:
    class Borrowing(Gate):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            del self.input
            self.borrowed = (module,)

        def project(self, x: Tensor) -> Tensor:
            return self.borrowed[0](x)

    module = nn.Linear(P, 2 * H).requires_grad_(False)
    cell, (x, state) = Borrowing(module), given_to()
    x = x.detach()
    scan(cell, x, LENGTHS, state)
    module.requires_grad_(True)
    found = []
    for way in (scan, loop):
        y, _ = way(cell, x, LENGTHS, state)
        found.append(torch.autograd.grad(y.square().sum(), list(module.parameters())))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_parametrized_layers_learn_where_their_weights_are_kept_meanwhile() -> None:
    class Parametrized(Gate):
        def __init__(self) -> None:
            super().__init__()
            weight_norm(self.input)
            weight_norm(self.recurrent)

    cell, (x, state) = Parametrized(), given_to()
    found = []
    for way in (scan, loop):
        with parametrize.cached():
            y, _ = way(cell, x, LENGTHS, state)
            found.append(torch.autograd.grad(y.square().sum(), list(cell.parameters())))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_a_number_that_changes_each_time_costs_a_few_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    class Annealed(Gate):
        heat = 1.0

        def project(self, x: Tensor) -> Tensor:
            return super().project(x) * self.heat

    made, taken = [], making.taken_apart
    monkeypatch.setattr(making, "taken_apart", lambda *a, **k: made.append(1) or taken(*a, **k))
    cell, (x, state) = Annealed(), given_to()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(20):
            Annealed.heat = 0.9**step
            torch.testing.assert_close(scan(cell, x, None, state), loop(cell, x, None, state))
    assert len(made) <= 7
    assert start_of(cell) is Start.PROJECTED


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
    plan = plan_from_inputs(cell, x[:, 0], state)
    assert plan is not None
    assert (plan.start, plan.backward.to_z) == (Start.INPUTS, False)


def test_under_autocast_inputs_are_projected_before() -> None:
    class Halved(Gate):
        pass

    cell = Halved()
    x, state = given_to()
    with torch.autocast("cpu", torch.bfloat16):
        assert plan_from_inputs(cell, x[:, 0], state) is None
        y, _ = scan(cell, x, LENGTHS, state)
        wanted, _ = loop(cell, x, LENGTHS, state)
    torch.testing.assert_close(y, wanted, rtol=0.05, atol=0.05)
