from __future__ import annotations

import math
from collections.abc import Sequence
from operator import getitem
from typing import Any

import pytest
import torch
from torch import Tensor, fx

from rnnx.core.unrolling.kernels.c.native import looped
from rnnx.core.unrolling.kernels.c.products import in_panels
from rnnx.core.unrolling.kernels.layout import UnwritableError
from rnnx.core.unrolling.operations import ATEN
from tests.core.unrolling.kernels.in_c import elementwise
from tests.core.unrolling.kernels.nodes import Nodes
from tests.core.unrolling.kernels.trials import (
    each_trial,
    each_trial_along,
    is_filled,
    is_log_sigmoid,
    is_torchs,
    is_torchs_along,
)


@each_trial
def test_a_formula_is_torchs_operation(operation: Any, given: Sequence[Any], options: dict[str, Any]) -> None:
    is_torchs(operation, given, options, computed)


@each_trial_along
def test_what_is_made_along_rows_is_torchs(
    operation: Any, given: Sequence[Any], options: dict[str, Any]
) -> None:
    is_torchs_along(operation, given, options, computed)


def test_the_logarithm_of_a_sigmoid_is_torchs() -> None:
    is_log_sigmoid(computed)


def test_what_is_made_of_no_numbers_is_torchs() -> None:
    is_filled(computed)


def computed(rows: Sequence[fx.Node], node: fx.Node, given: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    (made,) = looped(rows, [], [], [node])(*given)
    assert made.dtype == dtype
    return made


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e-30, True])
def test_any_number_may_be_an_argument(number: float) -> None:
    nodes = Nodes()
    row = nodes.rows("x", 3)
    x = torch.tensor([[1.0, -2.0, 0.5]])
    (found,) = looped([row], [], [], [nodes.call(ATEN.mul.Scalar, row, number, width=3)])(x)
    torch.testing.assert_close(found, x * number, equal_nan=True)


def test_rows_may_lie_apart_and_be_cut_and_put_together() -> None:
    """A piece of rows, rows turned round, constants that lie apart; what is made has pieces of all widths."""
    nodes = Nodes()
    x, y, bit = nodes.rows("x", 8), nodes.rows("y", 3), nodes.rows("bit", 3, torch.bool)
    c, one = nodes.constant("c", 3), nodes.constant("one")
    first = nodes.call(ATEN.slice.Tensor, x, 1, 1, 4, width=3)
    last = nodes.call(ATEN.slice.Tensor, x, 1, -3, 9223372036854775807, width=3)
    sum_ = nodes.call(ATEN.add.Tensor, nodes.call(ATEN.mul.Tensor, first, c, width=3), y, width=3)
    less = nodes.call(ATEN.lt.Tensor, sum_, last, width=3, dtype=torch.bool)
    chosen = nodes.call(ATEN.where.self, bit, sum_, nodes.call(ATEN.mul.Tensor, last, one, width=3), width=3)
    whole = nodes.call(ATEN.cat.default, [chosen, x, sum_], 1, width=14)
    loop = looped([x, y, bit], [c, one], [whole], [less, sum_])

    many = torch.randn(5, 20)
    xs, ys = many[:, 4:12], torch.randn(3, 5).t()
    bits, cs = torch.rand(5, 6)[:, ::2] < 0.5, torch.randn(6)[::2]
    room = torch.full((7, 14), 9.0)
    found_less, found_sum = loop(xs, ys, bits, cs, torch.tensor(-2.0), room[1:6])
    wanted = xs[:, 1:4] * cs + ys
    torch.testing.assert_close(found_sum, wanted)
    assert torch.equal(found_less, wanted < xs[:, 5:])
    chosen_ = torch.where(bits, wanted, xs[:, 5:] * -2)
    torch.testing.assert_close(room[1:6], torch.cat((chosen_, xs, wanted), 1))
    assert (room[[0, 6]] == 9).all()


def test_whole_numbers_that_stay_as_they_are_can_be_read() -> None:
    nodes = Nodes()
    x, periods = nodes.rows("x", 3), nodes.constant("periods", 3, dtype=torch.int64)
    rows, every = torch.tensor([[0.0, 6, 7], [4, 9, 12]]), torch.tensor([2, 3, 4])
    (found,) = looped([x], [periods], [], [nodes.call(ATEN.remainder.Tensor, x, periods, width=3)])(
        rows, every
    )
    assert found.tolist() == [[0, 0, 3], [0, 0, 0]]


def test_no_rows_are_none() -> None:
    assert elementwise(ATEN.exp.default, torch.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("width", [1, 5, 70])
def test_sums_over_rows_are_made_before_what_reads_them(width: int) -> None:
    """Rows that are normalised, and whose sum is taken of what comes of it."""
    nodes = Nodes()
    x = nodes.rows("x", width)
    weight, bias = nodes.constant("weight", width), nodes.constant("bias", width)
    scaled = nodes.call(ATEN.mul.Scalar, x, 3.0, width=width)
    several = nodes.several(ATEN.native_layer_norm.default, scaled, [width], weight, bias, 1e-5)
    normal = nodes.call(getitem, several, 0, width=width)
    total = nodes.call(ATEN.sum.dim_IntList, normal, [1], True, width=1)
    shifted = nodes.call(ATEN.add.Tensor, normal, total, width=width)
    rows, w, b = torch.randn(400, width), torch.linspace(4, 5, width), torch.randn(width)
    (found,) = looped([x], [weight, bias], [], [shifted])(rows, w, b)
    wanted = torch.nn.functional.layer_norm(rows * 3, (width,), w, b)
    torch.testing.assert_close(found, wanted + wanted.sum(1, keepdim=True), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64])
def test_other_types_are_not_written(dtype: torch.dtype) -> None:
    nodes = Nodes()
    x = nodes.rows("x", 3, dtype)
    with pytest.raises(UnwritableError, match=f"(reads or )?makes {dtype}"):
        looped([x], [], [], [nodes.call(ATEN.neg.default, x, width=3, dtype=dtype)])


@pytest.mark.parametrize("alpha", [1, -0.5])
@pytest.mark.parametrize("beta", [1, 3])
def test_products_are_made_between_what_they_read_and_what_reads_them(alpha: float, beta: float) -> None:
    """Of what was made, and of what was given, cut out of it; for room, and for what is read on."""
    nodes = Nodes()
    x, u, v, bias = (
        nodes.rows("x", 8),
        nodes.constant("u", 5, 20),
        nodes.constant("v", 20, 3),
        nodes.constant("bias", 20),
    )
    piece = nodes.call(ATEN.slice.Tensor, x, 1, 2, 7, width=5)
    first = nodes.call(ATEN.addmm.default, bias, piece, u, width=20, alpha=alpha, beta=beta)
    bent = nodes.call(ATEN.tanh.default, first, width=20)
    second = nodes.call(ATEN.mm.default, bent, v, width=3)
    third = nodes.call(ATEN.addmm.default, second, bent, v, width=3, alpha=alpha, beta=beta)
    whole = nodes.call(ATEN.cat.default, [x, third], 1, width=11)
    again = nodes.call(ATEN.mm.default, nodes.call(ATEN.slice.Tensor, whole, 1, 6, 11, width=5), u, width=20)
    rows, us, vs, biases = torch.randn(70, 8), torch.randn(5, 20), torch.randn(20, 3), torch.randn(20)
    room = torch.empty(70, 11)
    loop = looped([x], [u, v, bias], [whole], [second, again])
    found_second, found_again = loop(rows, in_panels(us), in_panels(vs), biases, room)
    wanted = torch.tanh(beta * biases + alpha * rows[:, 2:7] @ us)
    wanted_second = wanted @ vs
    wanted_whole = torch.cat((rows, beta * wanted_second + alpha * wanted @ vs), 1)
    torch.testing.assert_close(found_second, wanted_second, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(room, wanted_whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_again, wanted_whole[:, 6:] @ us, rtol=1e-4, atol=1e-4)


def test_the_sum_of_a_product_of_one_column_is_that_column() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", 3), nodes.constant("u", 3, 1)
    product = nodes.call(ATEN.mm.default, x, u, width=1)
    total = nodes.call(ATEN.sum.dim_IntList, product, [1], True, width=1)
    spread = nodes.call(ATEN.mul.Tensor, x, nodes.call(ATEN.add.Tensor, total, product, width=1), width=3)
    rows, us = torch.randn(9, 3), torch.randn(3, 1)
    (found,) = looped([x], [u], [], [spread])(rows, in_panels(us))
    torch.testing.assert_close(found, rows * (2 * rows @ us))


def test_products_of_other_than_rows_and_a_constant_of_32_bits_are_not_written() -> None:
    """Nor of what was given in another type, and turned into 32 bits."""
    nodes = Nodes()
    x, bits = nodes.rows("x", 3), nodes.rows("bits", 3, torch.bool)
    u, v, w = nodes.rows("u", 3), nodes.constant("v", 3, 3, dtype=torch.int64), nodes.constant("w", 3, 3)
    turned = nodes.call(ATEN._to_copy.default, bits, width=3)
    for left, right in ((x, u), (x, v), (turned, w)):
        with pytest.raises(
            UnwritableError, match="multiplies other than rows and a constant matrix of 32 bits"
        ):
            looped([x, bits, u], [v, w], [], [nodes.call(ATEN.mm.default, left, right, width=3)])


def test_a_matrix_is_not_read_by_its_elements() -> None:
    nodes = Nodes()
    x, u = nodes.rows("x", 3), nodes.constant("u", 2, 3)
    with pytest.raises(UnwritableError, match="reads a matrix by its elements"):
        looped([x], [u], [], [nodes.call(ATEN.add.Tensor, x, u, width=3)])
