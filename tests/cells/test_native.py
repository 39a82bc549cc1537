"""Every cell of sequences that is installed, in each of its settings, with its steps in C."""

from __future__ import annotations

import pytest

from rnnx.core.unrolling.plan import Kernels
from tests.cells.by_plan import SUBJECTS, as_the_steps
from tests.core.unrolling.kernels.in_c import ALL, in_c


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_gives_what_the_steps_give(name: str) -> None:
    assert in_c(as_the_steps(name, kernels=Kernels.C)) == [ALL, ALL]
