"""The energies of additive attention, ``v . tanh(q + k)`` of each query and key (Bahdanau et al. 2015)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from struct import pack
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.core.unrolling.circumstances import watched
from rnnx.core.unrolling.kernels.c import mathematics, sharing
from rnnx.core.unrolling.kernels.c.compiler import CompilerError, NoCompilerWarning, compiled
from rnnx.core.unrolling.kernels.c.native import pays

GIVEN: Final = """\
static void block(const long long *given, long long first, long long past) {
    const long long queries = given[4], keys = given[5], size = given[6];
    const float *restrict query = (const float *) given[7], *restrict key = (const float *) given[8];
    const float *restrict v = (const float *) given[9];
"""
PAIRS: Final = """\
    for (long long n = first; n < past; n++)
        for (long long u = n * queries; u < (n + 1) * queries; u++)
            for (long long s = 0; s < keys; s++) {
                const float *restrict q = query + u * size, *restrict k = key + (n * keys + s) * size;
"""
FORWARD: Final = """\
    float *restrict energies = (float *) given[10];
{pairs}
                float sum = 0;
                #pragma omp simd reduction(+:sum)
                for (long long d = 0; d < size; d++)
                    sum += v[d] * tanh(q[d] + k[d] / 2);
                energies[u * keys + s] = sum;
            }
}
"""
# gradients are added to zeros; each row has one of v
BACKWARD: Final = """\
    const float *restrict of_energies = (const float *) given[10];
    float *restrict of_query = (float *) given[11], *restrict of_key = (float *) given[12];
    float *restrict of_v = (float *) given[13];
{pairs}
                const float of_energy = of_energies[u * keys + s];
                float *restrict of_q = of_query + u * size, *restrict of_k = of_key + (n * keys + s) * size;
                float *restrict of_row = of_v + n * size;
                #pragma omp simd
                for (long long d = 0; d < size; d++) {
                    const float y = tanh(q[d] + k[d] / 2), of_sum = of_energy * v[d] * (1 - y * y);
                    of_q[d] += of_sum;
                    of_k[d] += of_sum / 2;
                    of_row[d] += of_energy * y;
                }
            }
}
"""


def energies(query: Tensor, twice_keys: Tensor, v: Tensor) -> Tensor:
    """``v . tanh(q + k)`` of each pair, of ``q`` and ``2 k``.

    In C, where cells' steps are too, no more than the energies is written down. Else as ``tanh x = 2
    sigmoid(2 x) - 1``, since on some CPUs torch's tanh takes six times as long as its sigmoid.

    Args:
        query: ``(N, U, D)``.
        twice_keys: ``(N, S, D)``.
        v: ``(D,)``.

    Returns:
        ``(N, U, S)``.

    Example:
        >>> energies(torch.tensor([[[1.0]]]), torch.tensor([[[0.0], [2.0]]]), torch.tensor([3.0]))
        tensor([[[2.2848, 2.8921]]])
    """
    if not _for_c(query, twice_keys, v):
        return _plain(query, twice_keys, v)
    found: Tensor = _Energies.apply(query, twice_keys, v)  # type: ignore[no-untyped-call]
    return found


def _plain(query: Tensor, twice_keys: Tensor, v: Tensor) -> Tensor:
    pairs = (2 * query).unsqueeze(2) + twice_keys.unsqueeze(1)  # (N, U, S, D)
    return F.linear(pairs.sigmoid_(), 2 * v.unsqueeze(0), -v.sum(0, keepdim=True)).squeeze(-1)


def _for_c(query: Tensor, keys: Tensor, v: Tensor) -> bool:
    """Whether functions in C may read these tensors, are to, and are there."""
    if watched() or torch.is_autocast_enabled("cpu") or not all(map(_is_plain, (query, keys, v))):
        return False
    fit = (
        query.dim() == keys.dim() == 3 and query.shape[::2] == keys.shape[::2] and v.shape == query.shape[2:]
    )
    return fit and pays(torch.float32, query.numel()) and _function(FORWARD) is not None


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is 32-bit numbers in this process's memory, which may be kept for a gradient."""
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and (tensor.dtype, tensor.device.type, tensor.layout) == (torch.float32, "cpu", torch.strided)
        and not (tensor.is_neg() or tensor._is_zerotensor())
        and not torch._C._functorch.is_legacy_batchedtensor(tensor)
        and not (tensor.is_inference() and torch.is_grad_enabled())
    )


@cache
def _function(body: str) -> Callable[[bytes], None] | None:
    """A function in C of this body, :data:`FORWARD` or :data:`BACKWARD`; None where it cannot be compiled."""
    text = mathematics.TEXT + GIVEN + body.replace("{pairs}\n", PAIRS) + sharing.TEXT
    try:
        function: Callable[[bytes], None] = compiled(text)
    except CompilerError as error:
        warnings.warn(
            f"attention is made without functions in C, which is slower: they cannot be compiled ({error})",
            NoCompilerWarning,
            stacklevel=2,
        )
        return None
    return function


@final
class _Energies(torch.autograd.Function):
    """:func:`_plain` in C."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, v)
        made = query.new_empty(*query.shape[:2], keys.shape[1])
        function = _function(FORWARD)
        assert function is not None
        _call(function, query, keys, v, made)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, v = ctx.saved_tensors
        by_torch = torch.is_grad_enabled() or watched() or not all(map(_is_plain, gradients))
        function = None if by_torch else _function(BACKWARD)
        if function is None:
            return _plain_gradients(ctx, gradients)
        of_query, of_keys = query.new_zeros(query.shape), keys.new_zeros(keys.shape)
        of_v = v.new_zeros(len(query), len(v))
        _call(function, query, keys, v, *gradients, of_query, of_keys, of_v)
        return of_query, of_keys, of_v.sum(0)


def _plain_gradients(ctx: Any, gradients: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """The gradients that are wanted, in torch's operations, so that they have gradients too."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        views = [tensor.view_as(tensor) for tensor in ctx.saved_tensors]  # none is made of another
        needed = [view for view, wanted in zip(views, ctx.needs_input_grad, strict=True) if wanted]
        found = iter(torch.autograd.grad(_plain(*views), needed, gradients, create_graph=again))
    return tuple(next(found) if wanted else None for wanted in ctx.needs_input_grad)


def _call(function: Callable[[bytes], None], query: Tensor, keys: Tensor, v: Tensor, *others: Tensor) -> None:
    rows, queries, size = query.shape
    tensors = [tensor.contiguous() for tensor in (query, keys, v, *others)]
    numbers = [*sharing.shared(rows), queries, keys.shape[1], size, *map(Tensor.data_ptr, tensors)]
    function(pack(f"{len(numbers)}q", *numbers))
