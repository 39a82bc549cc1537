"""Products of matrices, by the faster of torch's two libraries on each processor.

On an x86 processor torch multiplies numbers of 32 bits by MKL, which computes with 512 bits at once on
Intel's alone. oneDNN, which torch has for convolutions, does so on AMD's too, and takes half the time on
those of Zen 5 once a product is large enough to pay for the call. On those of Zen 4, which compute with 512
bits in two halves, it takes a tenth less where the first matrix lies row by row.

oneDNN writes a program for each shape of a product, and keeps the last 1,024 of them; torch keeps as many
again. Batches of ever other lengths seldom have one of those, and as they lie among the tensors, the room of
tensors that are gone between them is of less and less use: the memory of a training grew by gigabytes. So
fewer are kept, for which both look into the environment once, before their first product. What the user has
set there stands.
"""

from __future__ import annotations

import os
from typing import Final

import torch
from torch import Tensor

from rnnx.core.nets.processor import AMD_512, WIDE_AMD
from rnnx.core.unrolling.circumstances import counted

NAME: Final = "mkldnn::_linear_pointwise"  # oneDNN's product, as torch's compiler calls it
PAYS: Final = AMD_512 and torch._C._dispatch_has_kernel_for_dispatch_key(NAME, "CPU")
LARGE: Final = 2**20 if WIDE_AMD else 2**24  # multiplications, from which on the call is paid for
TURNS: Final = WIDE_AMD  # whether it is faster too where the first matrix does not lie row by row
NARROW: Final = 4  # terms or columns, of fewer of which it takes no less time
KEPT: Final = 64  # shapes, of which a step of a large net has thirty

if PAYS:
    for capacity in ("DNNL_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # oneDNN's, torch's
        os.environ.setdefault(capacity, str(KEPT))


def is_onednn_faster(a: Tensor, b: Tensor, price: int = 1) -> bool:
    """Whether oneDNN is to multiply two matrices.

    Not where torch is told to leave it alone (``torch.backends.mkldnn``), nor where something is told of each
    operation, as what counts them is.

    Args:
        a: ``(M, K)``.
        b: ``(K, L)``.
        price: How many times as dear the call is as one without autograd.
    """
    rows, terms = a.shape
    columns = b.shape[1]
    return (
        PAYS
        and rows * terms * columns >= LARGE * price
        and (TURNS or a.is_contiguous())
        and terms >= NARROW <= columns
        and a.dtype == b.dtype == torch.float32
        and a.device.type == b.device.type == "cpu"
        and bool(torch.backends.mkldnn.enabled)
        and not counted()
    )


def mm(a: Tensor, b: Tensor, *, out: Tensor | None = None) -> Tensor:
    """As ``torch.mm``, without autograd.

    Args:
        a: ``(M, K)``.
        b: ``(K, L)``.
        out: Where the product is written, ``(M, L)``; a new tensor if not said.

    Example:
        >>> a, b = torch.ones(200, 300), torch.ones(300, 400)
        >>> torch.equal(mm(a, b), a @ b)
        True
    """
    if not is_onednn_faster(a, b):
        return torch.mm(a, b, out=out)
    turned = _is_dense(a) and _copied(b.t()) < _copied(a)
    made = _product(b.t(), a.t()).t() if turned else _product(a, b)
    return made if out is None else out.copy_(made)


def addmm(
    term: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1, out: Tensor | None = None
) -> Tensor:
    """As ``torch.addmm``, without autograd: ``beta * term + alpha * a @ b``.

    Args:
        term: ``(L,)`` or ``(M, L)``, or what becomes that when it is repeated.
        a: ``(M, K)``.
        b: ``(K, L)``.
        beta: Of the term.
        alpha: Of the product.
        out: Where the sum is written, ``(M, L)``; a new tensor if not said.

    Example:
        >>> bias, a, b = torch.ones(400), torch.ones(200, 300), torch.ones(300, 400)
        >>> torch.equal(addmm(bias, a, b, alpha=-1), bias - a @ b)
        True
    """
    if not is_onednn_faster(a, b) or term.dtype != a.dtype:
        return torch.addmm(term, a, b, beta=beta, alpha=alpha, out=out)
    if term.shape == b.shape[1:] and alpha == beta == 1:
        made = _product(a, b, term)
    else:
        made = mm(a, b).mul_(alpha).add_(term, alpha=beta)
    return made if out is None else out.copy_(made)


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """By oneDNN, which copies the first matrix where it must.

    With a second one that has gaps it goes by plain loops, in a thousand times the time.
    """
    b = b if _is_dense(b) else b.contiguous()
    made: Tensor = torch.ops.mkldnn._linear_pointwise.default(a, b.t(), bias, "none", [], "")
    return made


def _is_dense(a: Tensor) -> bool:
    """Whether a matrix lies row by row, or column by column, without gaps."""
    return a.is_contiguous() or a.t().is_contiguous()


def _copied(a: Tensor) -> int:
    """How many numbers are copied to multiply a matrix with one to its right."""
    return 0 if a.is_contiguous() else a.numel()
