"""Making a plan disturbs nothing: the cell, its tensors, the random numbers, what goes on meanwhile."""

from __future__ import annotations

import copy
import sys
import threading
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.cell import Cell
from rnnx.core.engine import loop, scan
from rnnx.core.state import State
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.plans import plan_of
from tests.core.unrolling.against_the_loop import (
    Elman,
    H,
    N,
    P,
    T,
    given_to,
    plan_for,
    results,
    same,
)

pytestmark = pytest.mark.usefixtures("doubles")


def test_making_a_plan_draws_nothing_and_changes_no_gradient() -> None:
    class Quiet(Elman):
        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            y, last = super().step(F.dropout(z, 0.5, self.training), state)
            return y, last

    cell = Quiet()
    before = torch.get_rng_state()
    assert plan_for_fixed(cell) is not None
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in cell.parameters())


def plan_for_fixed(cell: Cell) -> Plan | None:
    return plan_of(cell, torch.zeros(2, cell.input_size), tuple(torch.zeros(2, s) for s in cell.state_sizes))


def test_making_a_plan_leaves_a_buffer_that_the_step_counts_in_as_the_loop_does() -> None:
    class Averaging(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(H)

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            h = torch.tanh(self.input(z) + self.norm(self.recurrent(state[0])))
            return h, (h,)

    cell = Averaging()
    other = copy.deepcopy(cell)
    x, state = given_to(cell)
    with pytest.warns(UserWarning, match="Averaging"):
        found = results(scan, cell, x, state, None)
    same(found, results(loop, other, x, state, None))
    same(dict(cell.named_buffers()), dict(other.named_buffers()))


def test_a_plan_that_is_made_in_another_thread_leaves_the_cell_alone() -> None:
    class Shared(Elman):
        pass

    def evaluate() -> None:
        with torch.no_grad():
            scan(cell, x)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(20):
            cell = Shared()
            cell.number = number  # each has a plan of its own
            x, own = torch.randn(N, T, P), cell.recurrent.weight
            scan(cell, x)
            thread = threading.Thread(target=evaluate)
            thread.start()
            while thread.is_alive():
                cell.zero_grad()
                scan(cell, x)[0].sum().backward()
                assert own.grad is not None
            thread.join()
            assert cell.recurrent.weight is own
    finally:
        sys.setswitchinterval(interval)


def test_making_a_plan_leaves_the_buffers_of_a_module_that_has_two_names() -> None:
    class Normed(Elman):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(P)
            self.norms = {"z": self.norm}

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return super().step(self.norms["z"](z), state)

    found = []
    for way in (scan, loop):
        torch.manual_seed(0)
        cell = Normed()
        x, state = given_to(cell)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, _ = way(cell, x, None, state)
        found.append([y, cell.norm.running_var, cell.norm.num_batches_tracked])
    same(*found)


def test_a_plan_made_where_anomalies_are_looked_for_is_as_good() -> None:
    class Anomalous(Elman):
        pass

    cell = Anomalous()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Anomaly Detection has been enabled")
        with torch.autograd.detect_anomaly():
            plan = plan_for(cell)
            assert torch.is_anomaly_enabled()
    assert plan is not None
    assert plan_for(cell) is plan
