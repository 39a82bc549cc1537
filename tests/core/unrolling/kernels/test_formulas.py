from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from rnnx.core.unrolling.kernels.formulas import FORMULAS
from rnnx.core.unrolling.kernels.kernel import Kernel
from rnnx.core.unrolling.kernels.layout import Roles
from rnnx.core.unrolling.kernels.source import written
from tests.core.unrolling.kernels.trials import GIVEN, is_torchs


def test_every_formula_is_tried() -> None:
    assert GIVEN.keys() == FORMULAS.keys()


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
@pytest.mark.parametrize("options", [False, True], ids=["plain", "with options"])
@pytest.mark.parametrize("operation", GIVEN, ids=str)
def test_a_formula_is_torchs_operation(operation: Any, options: bool) -> None:
    is_torchs(operation, options, computed)


def computed(rows: Sequence[fx.Node], node: fx.Node, given: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """All rows in a step."""
    kernel = Kernel(written(Roles(rows, [], [], [], [node]), reverse=False), reverse=False)
    room = torch.empty(len(given[0]), 1, dtype=dtype)
    kernel([len(room)], given, [], [], [room])
    return room
