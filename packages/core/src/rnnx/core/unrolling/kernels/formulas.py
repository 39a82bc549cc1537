"""torch's elementwise operations as text, in what Triton's language and C have in common.

Of the functions that are called here each of the two has its own.
"""

from __future__ import annotations

from math import inf
from operator import getitem
from typing import Any, Final, NamedTuple, final

import torch
from torch import fx

from rnnx.core.unrolling.operations import ATEN

FMOD: Final = (
    "where({0} < 0, -remainder(absolute({0}), absolute({1})), remainder(absolute({0}), absolute({1})))"
)

LERP: Final = (  # from the end that is nearer
    "where(absolute({2}) < 0.5, {0}, {1}) + ({1} - {0}) * ({2} - where(absolute({2}) < 0.5, 0, 1))"
)

# {0}, {1}, {2} are what an operation is given
FORMULAS: Final[dict[Any, str]] = {
    ATEN.add.Tensor: "{0} + {alpha} * {1}",
    ATEN.add.Scalar: "{0} + {2} * {1}",
    ATEN.sub.Tensor: "{0} - {alpha} * {1}",
    ATEN.sub.Scalar: "{0} - {2} * {1}",
    ATEN.rsub.Scalar: "{1} - {2} * {0}",
    ATEN.mul.Tensor: "{0} * {1}",
    ATEN.mul.Scalar: "{0} * {1}",
    ATEN.div.Tensor: "{0} / {1}",
    ATEN.div.Scalar: "{0} / {1}",
    ATEN.addcmul.default: "{0} + {value} * {1} * {2}",
    ATEN.addcdiv.default: "{0} + {value} * {1} / {2}",
    ATEN.lerp.Tensor: LERP,
    ATEN.lerp.Scalar: LERP,
    ATEN.neg.default: "-{0}",
    ATEN._neg_view.default: "-{0}",
    ATEN.reciprocal.default: "1 / {0}",
    ATEN.abs.default: "absolute({0})",
    ATEN.sign.default: "where({0} > 0, 1, where({0} < 0, -1, 0))",
    ATEN.sgn.default: "where({0} > 0, 1, where({0} < 0, -1, 0))",
    ATEN.exp.default: "exp({0})",
    ATEN.exp2.default: "exp({0} * 0.6931471805599453)",
    ATEN.expm1.default: "exp_less_one({0})",
    ATEN.log.default: "log({0})",
    ATEN.log1p.default: "log_of_more({0})",
    ATEN.log2.default: "log({0}) * 1.4426950408889634",
    ATEN.logaddexp.default: (  # of two that are equal, as infinite ones may be, without their difference
        "where({0} == {1}, {0} + 0.6931471805599453, "
        "maximum({0}, {1}) + log_of_more(exp(-absolute({0} - {1}))))"
    ),
    ATEN.pow.Scalar: "exp({1} * log({0}))",
    ATEN.sin.default: "sin({0})",
    ATEN.cos.default: "cos({0})",
    ATEN.tan.default: "sin({0}) / cos({0})",
    ATEN.erf.default: "erf({0})",
    ATEN.maximum.default: "maximum({0}, {1})",
    ATEN.minimum.default: "minimum({0}, {1})",
    ATEN.sqrt.default: "sqrt({0})",
    ATEN.rsqrt.default: "1 / sqrt({0})",
    ATEN.sigmoid.default: "sigmoid({0})",
    ATEN.tanh.default: "tanh({0})",
    ATEN.floor.default: "floor({0})",
    ATEN.ceil.default: "-floor(-{0})",
    ATEN.trunc.default: "where({0} < 0, -floor(-{0}), floor({0}))",
    ATEN.frac.default: "{0} - where({0} < 0, -floor(-{0}), floor({0}))",
    ATEN.round.default: "rounded({0})",
    ATEN.remainder.Scalar: "remainder({0}, {1})",
    ATEN.remainder.Tensor: "remainder({0}, {1})",
    ATEN.fmod.Scalar: FMOD,
    ATEN.fmod.Tensor: FMOD,
    ATEN.clamp.default: "minimum(maximum({0}, {1}), {2})",
    ATEN.clamp_min.default: "maximum({0}, {1})",
    ATEN.clamp_max.default: "minimum({0}, {1})",
    ATEN.threshold.default: "where({0} <= {1}, {2}, {0})",
    ATEN.relu.default: "where({0} <= 0, 0, {0})",
    ATEN.leaky_relu.default: "where({0} > 0, {0}, {1} * {0})",
    ATEN.elu.default: "where({0} > 0, {2} * {0}, {1} * {2} * exp_less_one({3} * {0}))",
    ATEN.celu.default: "where({0} > 0, {0}, {1} * exp_less_one({0} / {1}))",
    ATEN.gelu.default: "0.5 * {0} * (1 + erf({0} * 0.7071067811865476))",
    ATEN.hardtanh.default: "minimum(maximum({0}, {1}), {2})",
    ATEN.hardsigmoid.default: "minimum(maximum({0} + 3, 0), 6) / 6",
    ATEN.hardswish.default: "{0} * minimum(maximum({0} + 3, 0), 6) / 6",
    ATEN.softplus.default: "where({0} * {1} > {2}, {0}, log_of_more(exp({0} * {1})) / {1})",
    ATEN.softshrink.default: "where({0} > {1}, {0} - {1}, where({0} < -{1}, {0} + {1}, 0 * {0}))",
    ATEN.mish.default: "{0} * tanh(log_of_more(exp({0})))",
    ATEN.silu.default: "{0} * sigmoid({0})",
    ATEN.silu_backward.default: "{0} * (1 + {1} * sigmoid(-{1})) * sigmoid({1})",
    ATEN.leaky_relu_backward.default: "where({1} > 0, {0}, {2} * {0})",
    ATEN.elu_backward.default: "{0} * where({5} > 0, {2}, {1} * {2} * {3} * exp({3} * {5}))",
    ATEN.gelu_backward.default: (
        "{0} * (0.5 * (1 + erf({1} * 0.7071067811865476)) + {1} * exp(-0.5 * {1} * {1}) * 0.3989422804014327)"
    ),
    ATEN.hardtanh_backward.default: "where(({1} <= {2}) | ({1} >= {3}), 0, {0})",
    ATEN.hardsigmoid_backward.default: "where(({1} > -3) & ({1} < 3), {0} / 6, 0)",
    ATEN.hardswish_backward.default: ("where({1} <= -3, 0, where({1} < 3, {0} * ({1} / 3 + 0.5), {0}))"),
    ATEN.log_sigmoid_backward.default: "{0} * sigmoid(-{1})",
    ATEN.softplus_backward.default: "where({1} * {2} > {3}, {0}, {0} * sigmoid({1} * {2}))",
    ATEN.softshrink_backward.default: "where(({1} >= -{2}) & ({1} <= {2}), 0, {0})",
    ATEN.mish_backward.default: (
        "{0} * (tanh(log_of_more(exp({1}))) + {1} * sigmoid({1}) * "
        "(1 - tanh(log_of_more(exp({1}))) * tanh(log_of_more(exp({1})))))"
    ),
    ATEN.sigmoid_backward.default: "{0} * {1} * (1 - {1})",
    ATEN.tanh_backward.default: "{0} * (1 - {1} * {1})",
    ATEN.threshold_backward.default: "where({1} <= {2}, 0, {0})",
    ATEN.where.self: "where({0}, {1}, {2})",
    ATEN.masked_fill.Scalar: "where({1}, {2}, {0})",
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
    ATEN.bitwise_not.default: "{0} == 0",
    ATEN.logical_and.default: "({0} != 0) & ({1} != 0)",
    ATEN.bitwise_and.Tensor: "({0} != 0) & ({1} != 0)",
    ATEN.logical_or.default: "({0} != 0) | ({1} != 0)",
    ATEN.bitwise_or.Tensor: "({0} != 0) | ({1} != 0)",
    ATEN._to_copy.default: "{0}",
    ATEN.clone.default: "{0}",
}
FILLED: Final[dict[Any, str]] = {  # what is made of no numbers
    ATEN.zeros.default: "0.0",
    ATEN.zeros_like.default: "0.0",
    ATEN.new_zeros.default: "0.0",
    ATEN.ones.default: "1.0",
    ATEN.ones_like.default: "1.0",
    ATEN.new_ones.default: "1.0",
    ATEN.full.default: "{1}",
    ATEN.full_like.default: "{1}",
    ATEN.new_full.default: "{2}",
}
POWERS: Final[dict[float, str]] = {
    -1.0: "1 / {0}",
    -0.5: "1 / sqrt({0})",
    0.0: "1.0",
    0.5: "sqrt({0})",
    1.0: "{0}",
    2.0: "{0} * {0}",
    3.0: "{0} * {0} * {0}",
    4.0: "({0} * {0}) * ({0} * {0})",
}
OF_SEVERAL: Final[dict[tuple[Any, int], str]] = {  # results of operations that have more than one
    (ATEN.log_sigmoid_forward.default, 0): "minimum({0}, 0) - log_of_more(exp(-absolute({0})))",
    (ATEN.log_sigmoid_forward.default, 1): "exp(-absolute({0}))",
}
SMOOTH: Final[dict[Any, str]] = {  # where approximate="tanh"
    ATEN.gelu.default: "{0} * sigmoid(1.5957691216057308 * ({0} + 0.044715 * {0} * {0} * {0}))",
    ATEN.gelu_backward.default: (
        "{0} * sigmoid(1.5957691216057308 * ({1} + 0.044715 * {1} * {1} * {1})) * "
        "(1 + {1} * sigmoid(-1.5957691216057308 * ({1} + 0.044715 * {1} * {1} * {1})) * "
        "1.5957691216057308 * (1 + 0.134145 * {1} * {1}))"
    ),
}


@final
class Along(NamedTuple):
    """How a value is made of whole rows.

    Attributes:
        text: Of ``{0}``, ``{1}``, as of a formula; ``{sum0}``, ``{sum1}``; ``{largest}``, that of the first
            of what is given; ``{size}``, how many numbers a row of it has; and ``{freedom}``, less those that
            a correction takes away.
        sums: The formulas of what is added up over a row, each of what was before, too.
        whole: How many rows it is given.
        dimension: Which of what it is given says along what.
    """

    text: str
    sums: tuple[str, ...] = ()
    whole: int = 1
    dimension: int = 1


SQUARES: Final = ("{0}", "({0} - {sum0} / {size}) * ({0} - {sum0} / {size})")
FINITE: Final = "where(absolute({largest}) == {inf}, 0, {largest})"
ALONG: Final[dict[Any, Along]] = {
    ATEN.sum.dim_IntList: Along("{sum0}", ("{0}",)),
    ATEN.mean.dim: Along("{sum0} / {size}", ("{0}",)),
    ATEN.amax.default: Along("where({sum0} > 0, {nan}, {largest})", ("where({0} == {0}, 0, 1)",)),
    ATEN.var.correction: Along("{sum1} / {freedom}", SQUARES),
    ATEN.std.correction: Along("sqrt({sum1} / {freedom})", SQUARES),
    ATEN.linalg_vector_norm.default: Along("sqrt({sum0})", ("{0} * {0}",), dimension=2),
    ATEN.logsumexp.default: Along(f"{FINITE} + log({{sum0}})", (f"exp({{0}} - {FINITE})",)),
    ATEN._softmax.default: Along("exp({0} - {largest}) / {sum0}", ("exp({0} - {largest})",)),
    ATEN._log_softmax.default: Along("{0} - {largest} - log({sum0})", ("exp({0} - {largest})",)),
    ATEN._softmax_backward_data.default: Along("{1} * ({0} - {sum0})", ("{0} * {1}",), 2, 2),
    ATEN._log_softmax_backward_data.default: Along("{0} - exp({1}) * {sum0}", ("{0}",), 2, 2),
}
ASSUMED: Final[dict[Any, tuple[Any, ...]]] = {  # what an operation is given where nothing is said
    ATEN.add.Scalar: (None, None, 1),
    ATEN.sub.Scalar: (None, None, 1),
    ATEN.rsub.Scalar: (None, None, 1),
    ATEN.clamp.default: (None, -inf, inf),
    ATEN.hardtanh.default: (None, -1.0, 1.0),
    ATEN.leaky_relu.default: (None, 0.01),
    ATEN.elu.default: (None, 1.0, 1.0, 1.0),
    ATEN.celu.default: (None, 1.0),
    ATEN.softplus.default: (None, 1.0, 20.0),
    ATEN.softshrink.default: (None, 0.5),
}
BOOLEANS: Final[dict[Any, str]] = {  # of these
    ATEN.add.Tensor: "({0} != 0) | ({1} != 0)",
    ATEN.mul.Tensor: "({0} != 0) & ({1} != 0)",
}


@final
class Formula(NamedTuple):
    """How a value is made elementwise: the text, and what it is made of."""

    text: str
    args: tuple[Any, ...]


def formula_of(node: fx.Node) -> Formula | None:
    """How a value is made elementwise; None of what is not so made, or not written."""
    operation, args = node.target, node.args
    if operation is getitem:
        whole, place = args
        text = OF_SEVERAL.get((whole.target, place)) if isinstance(whole, fx.Node) else None  # type: ignore[arg-type]
        return None if text is None else Formula(text, whole.args)  # type: ignore[union-attr]
    if operation is ATEN.pow.Tensor_Scalar:
        text = POWERS.get(float(args[1]))  # type: ignore[arg-type]
    elif operation is ATEN.elu_backward.default and args[4]:
        text = None  # of what was written over
    elif operation is ATEN.pow.Scalar and not float(args[0]) > 0:  # type: ignore[arg-type]
        text = None
    elif node.kwargs.get("approximate") == "tanh":
        text = SMOOTH.get(operation)
    else:
        booleans = BOOLEANS if node.meta["dtype"] == torch.bool else {}
        text = (FORMULAS | FILLED | booleans).get(operation)
    if text is None:
        return None
    assumed = ASSUMED.get(operation, ())
    filled = (*args, *assumed[len(args) :])
    return Formula(
        text,
        tuple(assumed[place] if arg is None and assumed else arg for place, arg in enumerate(filled)),
    )
