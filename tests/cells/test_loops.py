"""Every cell of sequences that is installed, in each of its settings, with functions in C in its steps."""

from __future__ import annotations

import pytest

from rnnx.core.unrolling.plan import Kernels
from tests.cells.by_plan import SUBJECTS, as_the_steps
from tests.core.unrolling.kernels.loops_in import loops_in


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_function_gives_what_the_steps_give(name: str) -> None:
    plan = as_the_steps(name, kernels=Kernels.LOOPS)
    assert any(loops_in(plan))
