"""torch's operations by elements as text, in what Triton's language and C have in common.

Of the functions that are called here each of the two has its own.
"""

from __future__ import annotations

from typing import Any, Final

from rnnx.core.unrolling.operations import ATEN

# {0}, {1}, {2} are what an operation is given
FORMULAS: Final[dict[Any, str]] = {
    ATEN.add.Tensor: "{0} + {alpha} * {1}",
    ATEN.add.Scalar: "{0} + {alpha} * {1}",
    ATEN.sub.Tensor: "{0} - {alpha} * {1}",
    ATEN.sub.Scalar: "{0} - {alpha} * {1}",
    ATEN.rsub.Scalar: "{1} - {alpha} * {0}",
    ATEN.mul.Tensor: "{0} * {1}",
    ATEN.mul.Scalar: "{0} * {1}",
    ATEN.div.Tensor: "{0} / {1}",
    ATEN.div.Scalar: "{0} / {1}",
    ATEN.addcmul.default: "{0} + {value} * {1} * {2}",
    ATEN.lerp.Tensor: "{0} + {2} * ({1} - {0})",
    ATEN.lerp.Scalar: "{0} + {2} * ({1} - {0})",
    ATEN.neg.default: "-{0}",
    ATEN.reciprocal.default: "1 / {0}",
    ATEN.abs.default: "absolute({0})",
    ATEN.exp.default: "exp({0})",
    ATEN.log.default: "log({0})",
    ATEN.sin.default: "sin({0})",
    ATEN.cos.default: "cos({0})",
    ATEN.maximum.default: "maximum({0}, {1})",
    ATEN.minimum.default: "minimum({0}, {1})",
    ATEN.sqrt.default: "sqrt({0})",
    ATEN.rsqrt.default: "1 / sqrt({0})",
    ATEN.sigmoid.default: "sigmoid({0})",
    ATEN.tanh.default: "tanh({0})",
    ATEN.round.default: "rounded({0})",
    ATEN.remainder.Scalar: "remainder({0}, {1})",
    ATEN.remainder.Tensor: "remainder({0}, {1})",
    ATEN.relu.default: "where({0} <= 0, 0, {0})",
    ATEN.silu.default: "{0} * sigmoid({0})",
    ATEN.silu_backward.default: "{0} * (1 + {1} * sigmoid(-{1})) * sigmoid({1})",
    ATEN.sigmoid_backward.default: "{0} * {1} * (1 - {1})",
    ATEN.tanh_backward.default: "{0} * (1 - {1} * {1})",
    ATEN.threshold_backward.default: "where({1} <= {2}, 0, {0})",
    ATEN.where.self: "where({0}, {1}, {2})",
    ATEN.masked_fill.Scalar: "where({1}, {2}, {0})",
    ATEN.masked_fill_.Scalar: "where({1}, {2}, {0})",
    ATEN.eq.Scalar: "{0} == {1}",
    ATEN.eq.Tensor: "{0} == {1}",
    ATEN.ne.Scalar: "{0} != {1}",
    ATEN.ne.Tensor: "{0} != {1}",
    ATEN.lt.Scalar: "{0} < {1}",
    ATEN.lt.Tensor: "{0} < {1}",
    ATEN.le.Scalar: "{0} <= {1}",
    ATEN.le.Tensor: "{0} <= {1}",
    ATEN.gt.Scalar: "{0} > {1}",
    ATEN.gt.Tensor: "{0} > {1}",
    ATEN.ge.Scalar: "{0} >= {1}",
    ATEN.ge.Tensor: "{0} >= {1}",
    ATEN.logical_not.default: "{0} == 0",
    ATEN._to_copy.default: "{0}",
    ATEN.clone.default: "{0}",
    ATEN.zeros_like.default: "0.0",
    ATEN.ones_like.default: "1.0",
}
