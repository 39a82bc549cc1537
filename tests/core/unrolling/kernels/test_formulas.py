from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.unrolling.kernels.formulas import FORMULAS
from rnnx.core.unrolling.kernels.kernel import Kernel
from rnnx.core.unrolling.kernels.layout import Roles
from rnnx.core.unrolling.kernels.source import written
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")

ANY = [-40.0, -3.0, -1.5, -1.0, -0.5, -1e-3, 0.0, 1e-6, 0.15, 0.5, 1.0, 2.5, 3.0, 40.0]
POSITIVE = [1e-3, 0.25, 0.5, 1.0, 2.0, 3.5, 9.0]
BETWEEN = [0.0, 1e-3, 0.25, 0.5, 0.9, 1.0]
SPLIT = [True, False]

# what each operation is given: of a list one after the other, with all of the others
GIVEN: dict[Any, tuple[Any, ...]] = {
    ATEN.add.Tensor: (ANY, ANY),
    ATEN.add.Scalar: (ANY, 2.5),
    ATEN.sub.Tensor: (ANY, ANY),
    ATEN.sub.Scalar: (ANY, 2.5),
    ATEN.rsub.Scalar: (ANY, 1),
    ATEN.mul.Tensor: (ANY, ANY),
    ATEN.mul.Scalar: (ANY, -2.5),
    ATEN.div.Tensor: (ANY, POSITIVE),
    ATEN.div.Scalar: (ANY, 3),
    ATEN.addcmul.default: (ANY, POSITIVE, ANY),
    ATEN.lerp.Tensor: (ANY, POSITIVE, BETWEEN),
    ATEN.lerp.Scalar: (ANY, POSITIVE, 0.25),
    ATEN.neg.default: (ANY,),
    ATEN.reciprocal.default: (POSITIVE,),
    ATEN.abs.default: (ANY,),
    ATEN.exp.default: (ANY,),
    ATEN.log.default: (POSITIVE,),
    ATEN.sin.default: (ANY,),
    ATEN.cos.default: (ANY,),
    ATEN.maximum.default: ([*ANY, float("nan")], [*ANY, float("nan")]),
    ATEN.minimum.default: ([*ANY, float("nan")], [*ANY, float("nan")]),
    ATEN.sqrt.default: (POSITIVE,),
    ATEN.rsqrt.default: (POSITIVE,),
    ATEN.sigmoid.default: (ANY,),
    ATEN.tanh.default: (ANY,),
    ATEN.round.default: (ANY,),
    ATEN.remainder.Scalar: (ANY, 2),
    ATEN.remainder.Tensor: (ANY, POSITIVE[1:]),
    ATEN.relu.default: ([*ANY, float("nan")],),
    ATEN.silu.default: (ANY,),
    ATEN.silu_backward.default: (POSITIVE, ANY),
    ATEN.sigmoid_backward.default: (ANY, BETWEEN),
    ATEN.tanh_backward.default: (ANY, BETWEEN),
    ATEN.threshold_backward.default: (ANY, ANY, 0.5),
    ATEN.where.self: (SPLIT, ANY, POSITIVE),
    ATEN.masked_fill.Scalar: (ANY, SPLIT, 2.5),
    ATEN.masked_fill_.Scalar: (ANY, SPLIT, 2.5),
    ATEN.eq.Scalar: (ANY, 0.5),
    ATEN.eq.Tensor: (ANY, ANY),
    ATEN.ne.Scalar: (ANY, 0.5),
    ATEN.ne.Tensor: (ANY, ANY),
    ATEN.lt.Scalar: (ANY, 0.5),
    ATEN.lt.Tensor: (ANY, ANY),
    ATEN.le.Scalar: (ANY, 0.5),
    ATEN.le.Tensor: (ANY, ANY),
    ATEN.gt.Scalar: (ANY, 0.5),
    ATEN.gt.Tensor: (ANY, ANY),
    ATEN.ge.Scalar: (ANY, 0.5),
    ATEN.ge.Tensor: (ANY, ANY),
    ATEN.logical_not.default: (SPLIT,),
    ATEN._to_copy.default: (ANY,),
    ATEN.clone.default: (ANY,),
    ATEN.zeros_like.default: (ANY,),
    ATEN.ones_like.default: (ANY,),
}
OPTIONS: dict[Any, dict[str, Any]] = {
    ATEN.add.Tensor: {"alpha": -2},
    ATEN.sub.Tensor: {"alpha": 3},
    ATEN.addcmul.default: {"value": -1},
}
SUMS = (  # which may cancel
    ATEN.addcmul.default,
    ATEN.lerp.Tensor,
    ATEN.lerp.Scalar,
    ATEN.remainder.Tensor,
    ATEN.silu_backward.default,
)


def test_every_formula_is_tried() -> None:
    assert GIVEN.keys() == FORMULAS.keys()


@pytest.mark.parametrize("options", [False, True], ids=["plain", "with options"])
@pytest.mark.parametrize("operation", GIVEN, ids=str)
def test_a_formula_is_torchs_operation(operation: Any, options: bool) -> None:
    lists = [given for given in GIVEN[operation] if isinstance(given, list)]
    tensors = [torch.tensor(column).unsqueeze(1) for column in zip(*product(*lists), strict=True)]
    chosen = OPTIONS.get(operation, {}) if options else {}
    rows = iter(tensors)
    wanted = operation(
        *(next(rows).clone() if isinstance(g, list) else g for g in GIVEN[operation]), **chosen
    )
    found = computed(operation, tensors, wanted.dtype, chosen)
    atol = 2e-5 if operation in SUMS else 0
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=atol, equal_nan=True)


def computed(operation: Any, tensors: list[Tensor], dtype: torch.dtype, options: dict[str, Any]) -> Tensor:
    """What a kernel makes of it, all rows in a step."""
    nodes = Nodes()
    rows = [nodes.rows(f"x{place}", 1, tensor.dtype) for place, tensor in enumerate(tensors)]
    given = iter(rows)
    args = [next(given) if isinstance(g, list) else g for g in GIVEN[operation]]
    result = nodes.call(operation, *args, width=1, dtype=dtype, **options)
    kernel = Kernel(written(Roles(rows, [], [], [], [result]), reverse=False), reverse=False)
    room = torch.empty(len(tensors[0]), 1, dtype=dtype)
    kernel([len(room)], tensors, [], [], [room])
    return room
