"""Koutník, Greff, Gomez & Schmidhuber 2014, "A clockwork RNN"."""

from __future__ import annotations

from itertools import pairwise
from math import lcm
from typing import final

import torch
from torch import Tensor, nn

from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.errors import UsageError
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class Clockwork(Cell):
    r"""A simple recurrent network in modules, each of which moves at the ticks of its own clock.

    .. math::
        h_t^k &= \tanh(W^k x_t + \sum_{l=k}^g U^{kl} h_{t-1}^l + b^k) \quad (t \bmod T_k = 0) \\
        h_t^k &= h_{t-1}^k \quad \text{(else)}

    with ``g`` modules ``k = 1 ... g`` of equal width and growing periods :math:`T_k`. A module reads itself
    and the slower ones, so that ``U`` is block upper triangular; only its blocks on and above the diagonal
    are weights: ``weight_hh[k - 1]`` is :math:`U^{kk} \dots U^{kg}` side by side. The rows of ``weight_ih``
    are :math:`W^1 \dots W^g`, ``(H, I)``, and so with ``bias_ih``. The output is ``h``.

    The state is ``h`` and each row's clock, ``(N, 1)``: the time ``t`` over the least common multiple of all
    periods, without its whole part. A clock that says no whole ``t``, as one that a bridge makes, is read as
    the nearest. On a tree ``t`` is the number of nodes below.

    Deviations: the paper does not say where ``t`` begins; here it begins at 0, as in its authors' library
    Brainstorm, so that every module reads the first input.

    Args:
        hidden_size: Width ``H`` of ``h``, divisible by the number of periods.
        periods: ``T_k``, in growing order.

    Raises:
        UsageError: the periods do not grow, or ``hidden_size`` is not divisible by their number.

    Example:
        >>> cell = Clockwork(3, hidden_size=4, periods=(1, 2))
        >>> state = cell.initial_state(2, torch.zeros(1))
        >>> y, (h, clock) = cell.step(cell.project(torch.zeros(2, 3)), state)
        >>> y.shape, clock.tolist()
        (torch.Size([2, 4]), [[0.5], [0.5]])
    """

    periods: Tensor

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        periods: tuple[Positive, ...] = (1, 2, 4, 8, 16, 32, 64, 128),
    ) -> None:
        super().__init__()
        _check(hidden_size, periods)
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size, 1)
        self.bookkeeping = (1,)
        self.width, self.cycle = hidden_size // len(periods), lcm(*periods)
        each = torch.tensor(periods).repeat_interleave(self.width)  # (H,)
        self.register_buffer("periods", each, persistent=False)
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))  # W
        self.weight_hh = nn.ParameterList(  # U
            torch.empty(self.width, hidden_size - first) for first in range(0, hidden_size, self.width)
        )
        self.bias_ih = nn.Parameter(torch.empty(hidden_size))  # b
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def project(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih, self.bias_ih)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h, clock = state
        clock = clock.to(torch.promote_types(clock.dtype, torch.float32))  # of 16 bits it would stop
        t = torch.round(clock * self.cycle)
        moving = t % self.periods == 0  # (N, H)
        past = [linear(h[:, -weight.shape[1] :], weight) for weight in self.weight_hh]
        h = torch.where(moving, torch.tanh(z + torch.cat(past, -1)), h)
        return h, (h, (t + 1) % self.cycle / self.cycle)


def _check(hidden_size: int, periods: tuple[int, ...]) -> None:
    """Refuses modules that cannot be."""
    problems = []
    if not periods or any(slower <= faster for faster, slower in pairwise(periods)):
        problems.append(
            f"cell.periods: expected one period or more in growing order, got {list(periods)}; "
            "put each once, the fastest first"
        )
    if periods and hidden_size % len(periods):
        nearest = max(round(hidden_size / len(periods)), 1) * len(periods)
        problems.append(
            f"cell.hidden_size: expected a multiple of {len(periods)}, the number of cell.periods, "
            f"got {hidden_size}; set it to {nearest}"
        )
    if problems:
        raise UsageError(*problems)
