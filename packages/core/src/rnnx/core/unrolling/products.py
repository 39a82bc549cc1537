"""Products of a few rows at a time with a matrix that stays as it is.

MKL lays a matrix out for the processor each time that it is multiplied with, which takes a good part of a
product of a few rows. oneDNN, which is in torch too, takes one that was laid out before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from math import prod
from typing import Final, NamedTuple, final

import torch
from torch import Tensor, fx

from rnnx.core.unrolling.circumstances import counted
from rnnx.core.unrolling.operations import ATEN

ROWS: Final = 512  # of all steps together, from which on it pays to lay out what they meet
NUMBERS: Final = 1 << 19  # of a matrix, from which on oneDNN is so much faster that its calls' cost is paid

LAYS_OUT: Final = "mkldnn::_reorder_linear_weight"
MULTIPLIES: Final = "mkldnn::_linear_pointwise"


def pays(rows: Tensor) -> bool:
    """Whether large matrices that rows meet step by step are to be laid out before.

    So it is on x86 processors, where torch has oneDNN and may use it (``torch.backends.mkldnn``), unless
    something looks at each operation, as what counts them does.

    Args:
        rows: Of all steps, ``(M, ...)``.
    """
    return (
        len(rows) >= ROWS
        and rows.device.type == "cpu"
        and _there()
        and bool(torch.backends.mkldnn.enabled)
        and not counted()
    )


@cache
def _there() -> bool:
    """Whether this torch has the operations, on a processor where they were measured."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and all(
        map(torch._C._dispatch_has_kernel, (LAYS_OUT, MULTIPLIES))
    )


def laid_out(matrix: Tensor) -> Tensor:
    """A matrix ``(K, L)`` as oneDNN reads it; it can be multiplied with and nothing else."""
    return torch.ops.mkldnn._reorder_linear_weight(matrix.t())


def product(rows: Tensor, laid: Tensor) -> Tensor:
    """The product of rows ``(N, K)`` and a matrix that was :func:`laid_out`.

    Example:
        >>> rows, matrix = torch.randn(3, 4), torch.randn(4, 5)
        >>> torch.allclose(product(rows, laid_out(matrix)), rows @ matrix, atol=1e-5)
        True
    """
    return torch.ops.mkldnn._linear_pointwise.default(rows, laid, None, "none", [], "")


def product_and_bias(bias: Tensor, rows: Tensor, laid: Tensor) -> Tensor:
    """The same, and a vector ``(L,)`` added to each row."""
    return torch.ops.mkldnn._linear_pointwise.default(rows, laid, bias, "none", [], "")


def product_and_rows(term: Tensor, rows: Tensor, laid: Tensor) -> Tensor:
    """The same, and as many rows ``(N, L)`` added."""
    return torch.ops.mkldnn._linear_pointwise.binary(rows, term, laid, None, "add")


@final
class Product(NamedTuple):
    """An operation as a product with a matrix that can be laid out.

    Attributes:
        function: It, of the others and the matrix, laid out.
        others: What it is given besides.
        matrix: The matrix.
    """

    function: Callable[..., Tensor]
    others: Sequence[fx.Node]
    matrix: fx.Node


def product_of(node: fx.Node) -> Product | None:
    """An operation of a graph as such a product; None if it is none."""
    given = [arg for arg in node.args if isinstance(arg, fx.Node)]
    if node.target not in (ATEN.mm.default, ATEN.addmm.default) or node.kwargs or len(given) < len(node.args):
        return None
    *others, matrix = given
    if len(others) == 1:
        return Product(product, others, matrix)
    term = others[0].meta
    if term["by_rows"]:
        return Product(product_and_rows, others, matrix)
    return Product(product_and_bias, others, matrix) if len(term["shape"]) == 1 else None


def matrices(part: Iterable[fx.Node], constants: Collection[fx.Node]) -> list[fx.Node]:
    """Which of what stays as it is are large matrices that some operations multiply with."""
    products = [found for node in part if (found := product_of(node)) is not None]
    return [
        matrix
        for matrix in dict.fromkeys(found.matrix for found in products)
        if matrix in constants
        and matrix.meta["dtype"] == torch.float32
        and prod(matrix.meta["shape"]) >= NUMBERS
    ]
