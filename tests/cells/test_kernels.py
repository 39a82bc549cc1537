"""Every cell of sequences that is installed, in each of its settings, as a kernel."""

from __future__ import annotations

import pytest

from rnnx.core.unrolling.kernels.triton.kernel import Kernel
from rnnx.core.unrolling.sorting import Kernels
from tests.cells.by_plan import SUBJECTS, as_the_steps

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_kernel_gives_what_the_steps_give(name: str) -> None:
    plan = as_the_steps(name, kernels=Kernels.TRITON)
    assert isinstance(plan.forward.steps, Kernel)
    assert isinstance(plan.backward.steps, Kernel)
