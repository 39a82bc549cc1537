"""What each formula is tried with, and what is to come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, fx

from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

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


def is_torchs(
    operation: Any,
    options: bool,
    computed: Callable[[Sequence[fx.Node], fx.Node, Sequence[Tensor], torch.dtype], Tensor],
) -> None:
    """Tries an operation.

    Args:
        operation: It.
        options: Whether with those of :data:`OPTIONS`.
        computed: Of the nodes that are given and the one that is made, of rows of one number, and the type of
            what is made: that.
    """
    lists = [given for given in GIVEN[operation] if isinstance(given, list)]
    tensors = [torch.tensor(column).unsqueeze(1) for column in zip(*product(*lists), strict=True)]
    chosen = OPTIONS.get(operation, {}) if options else {}
    given = iter(tensors)
    wanted = operation(
        *(next(given).clone() if isinstance(g, list) else g for g in GIVEN[operation]), **chosen
    )
    nodes = Nodes()
    rows = [nodes.rows(f"x{place}", 1, tensor.dtype) for place, tensor in enumerate(tensors)]
    left = iter(rows)
    args = [next(left) if isinstance(g, list) else g for g in GIVEN[operation]]
    node = nodes.call(operation, *args, width=1, dtype=wanted.dtype, **chosen)
    found = computed(rows, node, tensors, wanted.dtype)
    atol = 2e-5 if operation in SUMS else 0
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=atol, equal_nan=True)
