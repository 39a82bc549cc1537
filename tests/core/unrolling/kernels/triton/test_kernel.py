from __future__ import annotations

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rnnx.core.cell import Cell
from rnnx.core.unrolling.kernels.triton.kernel import Kernel
from rnnx.core.unrolling.plan import Plan
from rnnx.core.unrolling.sorting import Kernels, taken_apart
from rnnx.core.unrolling.steps import step_by_step
from rnnx.core.unrolling.unrolled import unrolled
from tests.core.unrolling.kernels.cells import CELLS, Gated, given_to, results, sizes

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")


def plan_of(cell: Cell) -> Plan:
    z, state = given_to(cell, [2], 0)
    plan = taken_apart(cell, z, state, kernels=Kernels.TRITON)
    assert isinstance(plan.forward.steps, Kernel)
    assert isinstance(plan.backward.steps, Kernel)
    return plan


@pytest.mark.parametrize("name", CELLS)
def test_a_kernel_gives_what_the_steps_give(name: str) -> None:
    torch.manual_seed(0)
    cell = CELLS[name]()
    plan = plan_of(cell)

    @settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(sizes(), st.integers(0, 2))
    def check(sizes: list[int], waiting: int) -> None:
        z, state = given_to(cell, sizes, waiting)
        found = results(unrolled(plan, cell, z, sizes, state), cell, z, state)
        wanted = results(step_by_step(cell.step, z, sizes, state), cell, z, state)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(
                one, other, rtol=1e-4, atol=1e-5 * max(1, float(other.detach().abs().max()))
            )

    check()


def test_in_16_bits_as_torchs_own_operations() -> None:
    torch.manual_seed(0)
    cell = Gated(20)
    with torch.autocast("cpu", torch.float16):
        z, state = given_to(cell, [5, 3], 0)
        plans = [taken_apart(cell, z, state, kernels) for kernels in (Kernels.TRITON, None)]
        found, wanted = (results(unrolled(plan, cell, z, [5, 3], state), cell, z, state) for plan in plans)
    assert isinstance(plans[0].forward.steps, Kernel)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=5e-3 * float(other.detach().abs().max()))


def test_what_lies_in_memory_another_way_is_read_as_it_is() -> None:
    torch.manual_seed(0)
    cell, sizes = Gated(5), [4, 2]
    plan = plan_of(cell)
    z, state = given_to(cell, sizes, 0)
    turned = z.detach().t().contiguous().t().requires_grad_()
    found = results(unrolled(plan, cell, turned, sizes, state), cell, turned, state)
    torch.testing.assert_close(found, results(unrolled(plan, cell, z, sizes, state), cell, z, state))


def test_the_rows_of_a_state_are_not_written_over() -> None:
    cell = Gated(5)
    z, state = given_to(cell, [3, 2], 0)
    before = [tensor.detach().clone() for tensor in state]
    unrolled(plan_of(cell), cell, z, [3, 2], state)
    assert all(map(torch.equal, before, state))
