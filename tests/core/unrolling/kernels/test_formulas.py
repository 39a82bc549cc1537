from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from rnnx.core.unrolling.kernels.formulas import ALONG, BOOLEANS, FORMULAS, OF_SEVERAL, SMOOTH, formula_of
from rnnx.core.unrolling.kernels.layout import Roles
from rnnx.core.unrolling.kernels.triton.kernel import Kernel
from rnnx.core.unrolling.kernels.triton.source import written
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes
from tests.core.unrolling.kernels.trials import (
    ALONG_TRIALS,
    GIVEN,
    TRIALS,
    each_trial,
    each_trial_along,
    is_filled,
    is_log_sigmoid,
    is_torchs,
    is_torchs_along,
)


def test_every_formula_is_tried() -> None:
    assert {*GIVEN, ATEN.log_sigmoid_backward.default} == FORMULAS.keys()
    assert {operation for operation, *_ in ALONG_TRIALS} == ALONG.keys()
    assert {operation for operation, *_, options in TRIALS if "approximate" in options} == SMOOTH.keys()
    assert {*OF_SEVERAL} == {(ATEN.log_sigmoid_forward.default, place) for place in (0, 1)}
    assert BOOLEANS.keys() == {ATEN.add.Tensor, ATEN.mul.Tensor}


@pytest.mark.parametrize(
    ("operation", "args", "dtype"),
    [
        (ATEN.pow.Tensor_Scalar, (2.5,), torch.float32),
        (ATEN.elu_backward.default, (1.0, 1.0, 1.0, True, 0.0), torch.float32),
        (ATEN.digamma.default, (), torch.float32),
    ],
)
def test_of_what_is_not_written_there_is_no_formula(
    operation: Any, args: tuple[Any, ...], dtype: torch.dtype
) -> None:
    nodes = Nodes()
    assert formula_of(nodes.call(operation, nodes.rows("x", 1), *args, width=1, dtype=dtype)) is None


def test_a_power_of_a_negative_number_is_not_by_its_logarithm() -> None:
    nodes = Nodes()
    assert formula_of(nodes.call(ATEN.pow.Scalar, -2.0, nodes.rows("x", 1), width=1)) is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
@each_trial
def test_a_formula_is_torchs_operation(operation: Any, given: Sequence[Any], options: dict[str, Any]) -> None:
    is_torchs(operation, given, options, computed)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
@each_trial_along
def test_what_is_made_along_rows_is_torchs(
    operation: Any, given: Sequence[Any], options: dict[str, Any]
) -> None:
    is_torchs_along(operation, given, options, computed)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
def test_the_logarithm_of_a_sigmoid_is_torchs() -> None:
    is_log_sigmoid(computed)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
def test_what_is_made_of_no_numbers_is_torchs() -> None:
    is_filled(computed)


def computed(rows: Sequence[fx.Node], node: fx.Node, given: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """All rows in a step."""
    kernel = Kernel(written(Roles(rows, [], [], [], [node]), reverse=False), reverse=False)
    room = torch.empty(len(given[0]), *node.meta["shape"], dtype=dtype)
    kernel([len(room)], given, [], [], [room])
    return room
