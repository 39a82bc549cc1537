"""The energies of additive attention, ``v . tanh(q + k)`` of each query and key (Bahdanau et al. 2015)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from struct import pack
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnx.core.unrolling.circumstances import watched
from rnnx.core.unrolling.kernels import mathematics, sharing
from rnnx.core.unrolling.kernels.compiler import CompilerError, NoCompilerWarning, compiled
from rnnx.core.unrolling.kernels.native import pays

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
FORTH: Final = """\
    float *restrict energies = (float *) given[10];
{pairs}
                float sum = 0;
                #pragma omp simd reduction(+:sum)
                for (long long d = 0; d < size; d++)
                    sum += v[d] * sigmoid(q[d] + k[d]);
                energies[u * keys + s] = sum;
            }
}
"""
# all that is made starts as zeros; of v each row has its own
BACK: Final = """\
    const float *restrict energies = (const float *) given[10];
    float *restrict of_query = (float *) given[11], *restrict of_key = (float *) given[12];
    float *restrict of_v = (float *) given[13];
{pairs}
                const float g = energies[u * keys + s];
                float *restrict to_q = of_query + u * size, *restrict to_k = of_key + (n * keys + s) * size;
                float *restrict to_v = of_v + n * size;
                #pragma omp simd
                for (long long d = 0; d < size; d++) {
                    const float y = sigmoid(q[d] + k[d]), z = g * v[d] * y * (1 - y);
                    to_q[d] += z;
                    to_k[d] += z;
                    to_v[d] += g * y;
                }
            }
}
"""


def energies(query: Tensor, twice_keys: Tensor, v: Tensor) -> Tensor:
    """``v . tanh(q + k)`` of each pair, of ``q`` and ``2 k``.

    As ``tanh x = 2 sigmoid(2 x) - 1``, since on some CPUs torch's tanh takes six times as long as its
    sigmoid. In C, where cells' steps are too, no more than the energies is written down.

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
    return _sums(2 * query, twice_keys, 2 * v) - v.sum()


def _sums(query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
    """``v . sigmoid(q + k)`` of each pair."""
    given = query, keys, v
    of_32_bits = all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in given)
    if of_32_bits and pays(torch.float32, query.numel()) and not watched() and _in_c() is not None:
        found: Tensor = _Sums.apply(*given)  # type: ignore[no-untyped-call]
        return found
    return _plain(*given)


def _plain(query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
    pairs = query.unsqueeze(2) + keys.unsqueeze(1)  # (N, U, S, D)
    return F.linear(pairs.sigmoid_(), v.unsqueeze(0)).squeeze(-1)


@cache
def _in_c() -> tuple[Callable[[bytes], None], Callable[[bytes], None]] | None:
    """The functions forth and back; None where they cannot be compiled."""
    try:
        forth, back = (
            compiled(mathematics.TEXT + GIVEN + way.replace("{pairs}\n", PAIRS) + sharing.TEXT)
            for way in (FORTH, BACK)
        )
    except CompilerError as error:
        warnings.warn(
            f"attention is made without functions in C, which is slower: they cannot be compiled ({error})",
            NoCompilerWarning,
            stacklevel=2,
        )
        return None
    return forth, back


@final
class _Sums(torch.autograd.Function):
    """:func:`_plain` in C."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, v)
        made = query.new_empty(*query.shape[:2], keys.shape[1])
        _call(0, query, keys, v, made)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        given = ctx.saved_tensors
        if torch.is_grad_enabled():
            views = [tensor.view_as(tensor) for tensor in given]  # none is made of another
            return torch.autograd.grad(_plain(*views), views, gradients, create_graph=True)
        query, keys, v = given
        of_query, of_keys = (
            torch.zeros_like(t, memory_format=torch.contiguous_format) for t in (query, keys)
        )
        of_v = v.new_zeros(len(query), len(v))
        _call(1, query, keys, v, *gradients, of_query, of_keys, of_v)
        return of_query, of_keys, of_v.sum(0)


def _call(way: int, query: Tensor, keys: Tensor, v: Tensor, *others: Tensor) -> None:
    functions = _in_c()
    assert functions is not None
    rows, queries, size = query.shape
    tensors = [tensor.contiguous() for tensor in (query, keys, v, *others)]
    numbers = [*sharing.shared(rows), queries, keys.shape[1], size, *map(Tensor.data_ptr, tensors)]
    functions[way](pack(f"{len(numbers)}q", *numbers))
