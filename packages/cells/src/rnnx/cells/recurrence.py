"""The memory of a whole sequence at once, for the cells whose gates need no past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

import torch
from torch import Tensor


def linear(f: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The linear recurrence ``c_t = f_t c_{t-1} + b_t``, elementwise.

    The loop over time is no part of the graph: the gradient is the same recurrence, run from the end.

    Args:
        f: ``(N, T, H)``.
        b: ``(N, T, H)``.
        c: ``c_0``, ``(N, H)``.

    Returns:
        ``c_1 ... c_T``, ``(N, T, H)``.

    Example:
        >>> f, b = torch.tensor([[[2.0], [3.0]]]), torch.tensor([[[1.0], [1.0]]])
        >>> linear(f, b, torch.tensor([[5.0]])).flatten().tolist()
        [11.0, 34.0]
    """
    dtype = torch.promote_types(torch.promote_types(f.dtype, b.dtype), c.dtype)
    return _linear(f.to(dtype), b.to(dtype), c.to(dtype))


@final
class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, f: Tensor, b: Tensor, c: Tensor) -> Tensor:
        memory = [c]
        for f_t, b_t in zip(f.unbind(1), b.unbind(1), strict=True):
            memory.append(torch.addcmul(b_t, f_t, memory[-1]))
        cs = torch.stack(memory[1:], 1)
        ctx.save_for_backward(f, c, cs)
        return cs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (d_cs,) = gradients
        f, c, cs = ctx.saved_tensors
        next_f = f.roll(-1, 1)  # of the last step's, which has no next, the recurrence sees nothing
        d_b = _linear(next_f.flip(1), d_cs.flip(1), torch.zeros_like(c)).flip(1)
        before = torch.cat((c.unsqueeze(1), cs[:, :-1]), 1)
        return d_b * before, d_b, f[:, 0] * d_b[:, 0]


_linear: Final[Callable[[Tensor, Tensor, Tensor], Tensor]] = _Linear.apply
