"""What each formula is tried with, and what is to come of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from operator import getitem
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor, fx

from rnnx.core.unrolling.kernels.formulas import FILLED, POWERS
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.nodes import Nodes

ANY = [-40.0, -3.0, -1.5, -1.0, -0.5, -1e-3, 0.0, 1e-6, 0.15, 0.5, 1.0, 2.5, 3.0, 40.0]
INFINITE = [-math.inf, math.inf]
POSITIVE = [1e-3, 0.25, 0.5, 1.0, 2.0, 3.5, 9.0]
BETWEEN = [0.0, 1e-3, 0.25, 0.5, 0.9, 1.0]
SPLIT = [True, False]

MOMENTS = (ATEN.sum.dim_IntList, ATEN.mean.dim, ATEN.amax.default, ATEN.logsumexp.default)
SPREADS = (ATEN.var.correction, ATEN.std.correction)
NEW = (ATEN.new_zeros.default, ATEN.new_ones.default, ATEN.new_full.default)
LIKE = (ATEN.zeros_like.default, ATEN.ones_like.default, ATEN.full_like.default)

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
    ATEN._neg_view.default: (ANY,),
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
    ATEN.addcdiv.default: (ANY, ANY, POSITIVE),
    ATEN.sign.default: (ANY,),
    ATEN.sgn.default: (ANY,),
    ATEN.exp2.default: (ANY,),
    ATEN.expm1.default: ([*ANY, -120.0, 120.0],),
    ATEN.log1p.default: ([*POSITIVE, 0.0, 1e-9, 1e30, -0.5, -0.999],),
    ATEN.log2.default: (POSITIVE,),
    ATEN.logaddexp.default: ([*ANY, *INFINITE], [*ANY, *INFINITE]),
    ATEN.pow.Scalar: (2.5, ANY),
    ATEN.tan.default: (BETWEEN,),
    ATEN.erf.default: (ANY,),
    ATEN.floor.default: (ANY,),
    ATEN.ceil.default: (ANY,),
    ATEN.trunc.default: (ANY,),
    ATEN.frac.default: (ANY,),
    ATEN.fmod.Scalar: (ANY, -2),
    ATEN.fmod.Tensor: (ANY, POSITIVE[1:]),
    ATEN.clamp.default: ([*ANY, float("nan")], -0.5, 1),
    ATEN.clamp_min.default: ([*ANY, float("nan")], 0.5),
    ATEN.clamp_max.default: ([*ANY, float("nan")], 0.5),
    ATEN.threshold.default: ([*ANY, float("nan")], 0.5, -2),
    ATEN.leaky_relu.default: (ANY,),
    ATEN.leaky_relu_backward.default: (POSITIVE, ANY, 0.3, False),
    ATEN.elu.default: (ANY,),
    ATEN.elu_backward.default: (POSITIVE, 1.5, 1.25, 0.5, False, ANY),
    ATEN.celu.default: (ANY,),
    ATEN.gelu.default: (ANY,),
    ATEN.gelu_backward.default: (POSITIVE, ANY),
    ATEN.hardtanh.default: ([*ANY, float("nan")],),
    ATEN.hardtanh_backward.default: (POSITIVE, ANY, -1.0, 1.0),
    ATEN.hardsigmoid.default: (ANY,),
    ATEN.hardsigmoid_backward.default: (POSITIVE, ANY),
    ATEN.hardswish.default: (ANY,),
    ATEN.hardswish_backward.default: (POSITIVE, ANY),
    ATEN.mish.default: ([*ANY, 100.0],),
    ATEN.mish_backward.default: (POSITIVE, [*ANY, 100.0]),
    ATEN.softplus.default: ([*ANY, 100.0],),
    ATEN.softplus_backward.default: (POSITIVE, ANY, 1.5, 20),
    ATEN.softshrink.default: ([*ANY, float("nan")],),
    ATEN.softshrink_backward.default: (POSITIVE, ANY, 0.5),
    ATEN.bitwise_not.default: (SPLIT,),
    ATEN.logical_and.default: (ANY, SPLIT),
    ATEN.bitwise_and.Tensor: (SPLIT, SPLIT),
    ATEN.logical_or.default: (ANY, SPLIT),
    ATEN.bitwise_or.Tensor: (SPLIT, SPLIT),
}
Trial: TypeAlias = tuple[Any, tuple[Any, ...], dict[str, Any]]

# and what some are given besides, or instead
TRIALS: list[Trial] = [(operation, given, {}) for operation, given in GIVEN.items()]
TRIALS += [
    (ATEN.add.Tensor, (ANY, ANY), {"alpha": -2}),
    (ATEN.add.Tensor, (SPLIT, SPLIT), {}),
    (ATEN.mul.Tensor, (SPLIT, SPLIT), {}),
    (ATEN.sub.Tensor, (ANY, ANY), {"alpha": 3}),
    (ATEN.addcmul.default, (ANY, POSITIVE, ANY), {"value": -1}),
    (ATEN.addcdiv.default, (ANY, ANY, POSITIVE), {"value": -2}),
    (ATEN.add.Scalar, (ANY, 2.5, 3), {}),
    (ATEN.sub.Scalar, (ANY, 2.5, -2), {}),
    (ATEN.rsub.Scalar, (ANY, 2, 3), {}),
    (ATEN.lerp.Tensor, ([1e8, -3e6], [0.125], [0.0, 1.0]), {}),
    (ATEN.lerp.Scalar, ([1e8, -3e6], [0.125], 1), {}),
    (ATEN.clamp.default, (ANY, 0.5), {}),
    (ATEN.clamp.default, (ANY, None, 0.5), {}),
    (ATEN.leaky_relu.default, (ANY, 0.3), {}),
    (ATEN.elu.default, (ANY, 1.5, 1.25, 0.5), {}),
    (ATEN.celu.default, (ANY, 1.5), {}),
    (ATEN.hardtanh.default, (ANY, 0.0, 6.0), {}),
    (ATEN.softplus.default, (ANY, 1.5, 2.0), {}),
    (ATEN.softshrink.default, (ANY, 1.0), {}),
    (ATEN.gelu.default, (ANY,), {"approximate": "tanh"}),
    (ATEN.gelu_backward.default, (POSITIVE, ANY), {"approximate": "tanh"}),
    *((ATEN.pow.Tensor_Scalar, (POSITIVE, power), {}) for power in POWERS),
]
ROWS = torch.cat((torch.randn(7, 5, generator=torch.Generator().manual_seed(0)) * 3, torch.ones(1, 5) * 100))
SHARES = ROWS.softmax(1)
ALONG_TRIALS: list[Trial] = [
    *((operation, (ROWS, [1], keep), {}) for operation in MOMENTS for keep in (True, False)),
    (ATEN.amax.default, (torch.cat((ROWS, ROWS[:1] * math.nan, -ROWS[:1] * math.inf)), [-1], True), {}),
    *(
        (operation, (ROWS, [1]), {"correction": less, "keepdim": True})
        for operation in SPREADS
        for less in (0, 2)
    ),
    (ATEN.var.correction, (ROWS, [-1]), {}),
    *((ATEN.linalg_vector_norm.default, (ROWS, 2, [-1], keep), {}) for keep in (True, False)),
    (ATEN.logsumexp.default, (torch.cat((ROWS, torch.full((1, 5), -math.inf))), [1], True), {}),
    (ATEN._softmax.default, (ROWS, -1, False), {}),
    (ATEN._log_softmax.default, (ROWS, 1, False), {}),
    (ATEN._softmax_backward_data.default, (ROWS.flip(1), SHARES, 1, torch.float32), {}),
    (ATEN._log_softmax_backward_data.default, (ROWS.flip(1), SHARES.log(), -1, torch.float32), {}),
]
SUMS = (  # which may cancel
    ATEN.addcmul.default,
    ATEN.addcdiv.default,
    ATEN.lerp.Tensor,
    ATEN.lerp.Scalar,
    ATEN.remainder.Tensor,
    ATEN.fmod.Tensor,
    ATEN.silu_backward.default,
    ATEN.logaddexp.default,
    ATEN.gelu.default,
    ATEN.gelu_backward.default,
    ATEN.mish_backward.default,
)
FAR = (ATEN.exp2.default, ATEN.pow.Scalar)  # of a large number's exponential, what rounds the number

each_trial_along = pytest.mark.parametrize(
    ("operation", "given", "options"),
    ALONG_TRIALS,
    ids=[f"{operation} {place}" for place, (operation, *_) in enumerate(ALONG_TRIALS)],
)
each_trial = pytest.mark.parametrize(
    ("operation", "given", "options"),
    TRIALS,
    ids=[f"{operation} {place}" for place, (operation, *_) in enumerate(TRIALS)],
)


def is_torchs(
    operation: Any,
    given: Sequence[Any],
    options: dict[str, Any],
    computed: Callable[[Sequence[fx.Node], fx.Node, Sequence[Tensor], torch.dtype], Tensor],
) -> None:
    """Tries an operation.

    Args:
        operation: It.
        given: What it is given.
        options: And by name.
        computed: Of the nodes that are given and the one that is made, of rows of one number, and the type of
            what is made: that.
    """
    lists = [one for one in given if isinstance(one, list)]
    tensors = [torch.tensor(column).unsqueeze(1) for column in zip(*product(*lists), strict=True)]
    there = iter(tensors)
    wanted = operation(*(next(there).clone() if isinstance(g, list) else g for g in given), **options)
    nodes = Nodes()
    rows = [nodes.rows(f"x{place}", 1, tensor.dtype) for place, tensor in enumerate(tensors)]
    left = iter(rows)
    args = [next(left) if isinstance(g, list) else g for g in given]
    node = nodes.call(operation, *args, width=1, dtype=wanted.dtype, **options)
    found = computed(rows, node, tensors, wanted.dtype)
    cancels = operation in SUMS and max(map(max, lists)) < 1e6
    rtol, atol = 1e-5 if operation in FAR else 1e-6, 2e-5 if cancels else 0
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol, equal_nan=True)


def is_torchs_along(
    operation: Any,
    given: Sequence[Any],
    options: dict[str, Any],
    computed: Callable[[Sequence[fx.Node], fx.Node, Sequence[Tensor], torch.dtype], Tensor],
) -> None:
    """Tries an operation along rows; as :func:`is_torchs`."""
    wanted, nodes = operation(*given, **options), Nodes()
    tensors = [one for one in given if isinstance(one, Tensor)]
    rows = [nodes.rows(f"x{place}", tensor.shape[1]) for place, tensor in enumerate(tensors)]
    left = iter(rows)
    args = [next(left) if isinstance(one, Tensor) else one for one in given]
    width = wanted.shape[1] if wanted.dim() == 2 else None
    found = computed(rows, nodes.call(operation, *args, width=width, **options), tensors, wanted.dtype)
    torch.testing.assert_close(found, wanted, rtol=2e-6, atol=2e-6, equal_nan=True)


def is_log_sigmoid(
    computed: Callable[[Sequence[fx.Node], fx.Node, Sequence[Tensor], torch.dtype], Tensor],
) -> None:
    """Tries the logarithm of a sigmoid, which has two results, and its gradient; as :func:`is_torchs`."""
    x, nodes = torch.tensor(ANY).unsqueeze(1), Nodes()
    gradient, row = nodes.rows("gradient", 1), nodes.rows("x", 1)
    both = nodes.several(ATEN.log_sigmoid_forward.default, row)
    wanted = ATEN.log_sigmoid_forward(x)
    for place in (0, 1):
        found = computed([row], nodes.call(getitem, both, place, width=1), [x], x.dtype)
        torch.testing.assert_close(found, wanted[place], rtol=1e-6, atol=0)
    buffer, at = nodes.rows("buffer", 1), torch.linspace(1, 2, len(x)).unsqueeze(1)
    back = nodes.call(ATEN.log_sigmoid_backward.default, gradient, row, buffer, width=1)
    found = computed([gradient, row, buffer], back, [at, x, wanted[1]], x.dtype)
    torch.testing.assert_close(found, ATEN.log_sigmoid_backward(at, x, wanted[1]), rtol=1e-6, atol=0)


def is_filled(
    computed: Callable[[Sequence[fx.Node], fx.Node, Sequence[Tensor], torch.dtype], Tensor],
) -> None:
    """Tries what is made of no numbers."""
    x = torch.randn(3, 2)
    for operation, text in FILLED.items():
        new, like = operation in NEW, operation in LIKE
        size = () if like else ([3, 2],)
        number = (2.5,) if text not in ("0.0", "1.0") else ()
        nodes = Nodes()
        row = nodes.rows("x", 2)
        node = nodes.call(operation, *((row,) if new or like else ()), *size, *number, width=2)
        wanted = operation(*((x,) if new or like else ()), *size, *number)
        assert computed([row], node, [x], x.dtype).tolist() == wanted.tolist(), operation
