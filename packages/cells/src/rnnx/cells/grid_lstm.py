"""Kalchbrenner, Danihelka & Graves 2015, "Grid long short-term memory"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import cast, final

import torch
from torch import Tensor, nn

from rnnx.cells import normalization
from rnnx.core import state as states
from rnnx.core.bounds import Positive
from rnnx.core.cell import Cell
from rnnx.core.state import State


@final
class GridLSTM(Cell):
    r"""Grid LSTM of two dimensions: in every block one LSTM along time and one along depth.

    A block reads the hidden and memory vectors of time, ``h, m``, from the step before, and those of depth,
    ``h', m'``, from the block below:

    .. math::
        i &= \sigma(W_i [h; h'] + b_i) \\
        f &= \sigma(W_f [h; h'] + b_f) \\
        g &= \tanh(W_g [h; h'] + b_g) \\
        o &= \sigma(W_o [h; h'] + b_o) \\
        m &\leftarrow f \odot m + i \odot g \\
        h &\leftarrow \tanh(o \odot m)

    and the same for ``h', m'``, with other weights ``W'`` and ``b'``; both LSTMs read the old ``[h; h']``.
    The depth starts from the input, :math:`[h'; m'] = V x_t + a`, and the output is ``h'`` of the last block.
    The state is ``(h, m)`` of each block's time.

    ``input`` has the weight ``V``, ``(2 H, I)``, and the bias ``a``. The rows of the weight of one of
    ``blocks`` are ``W_i``, ``W_f``, ``W_g``, ``W_o`` of time, then those of depth, ``(8 H, 2 H)``, and so
    with its bias.

    With layer normalisation (Ba, Kiros & Hinton 2016), ``LN`` over the rows of ``i f g o`` together, of time
    and of depth by themselves,

    .. math::
        \left[a_i; a_f; a_g; a_o\right] &= \mathrm{LN}([W_i; W_f; W_g; W_o] [h; h']) \\
        i &= \sigma(a_i + b_i) \\
        f &= \sigma(a_f + b_f) \\
        g &= \tanh(a_g + b_g) \\
        o &= \sigma(a_o + b_o) \\
        h &\leftarrow \tanh(o \odot \mathrm{LN}(m))

    and ``m`` as before; the matrix reads ``h`` and ``h'`` in one sum, where an LSTM's past and input have
    two.

    Deviations: biases ``b``; the paper's equations have none.

    Args:
        hidden_size: Width ``H`` of each ``h`` and ``m``.
        depth: Number of blocks.
        tied: Whether all blocks share their weights (the paper's tied LSTM).
        forget_bias: Added to the initial bias of each forget gate, of time and of depth.
        layer_norm: Whether the sums of the gates and, inside ``h``, the memory are normalised.

    Example:
        >>> cell = GridLSTM(3, hidden_size=4, depth=3)
        >>> y, state = cell.step(cell.project(torch.zeros(2, 3)), cell.initial_state(2, torch.zeros(1)))
        >>> y.shape, len(state)
        (torch.Size([2, 4]), 6)
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        depth: Positive = 2,
        tied: bool = False,
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        self.state_sizes = (hidden_size, hidden_size) * depth
        self.input = nn.Linear(input_size, 2 * hidden_size)
        blocks = [_Block(hidden_size, layer_norm) for _ in range(1 if tied else depth)]
        self.blocks = cast("Sequence[_Block]", nn.ModuleList(blocks))
        for linear in (self.input, *blocks):
            for parameter in (linear.weight, linear.bias):
                nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            for block in blocks:
                block.bias.view(2, 4, hidden_size)[:, 1].add_(forget_bias)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h_depth, m_depth = z.chunk(2, -1)
        after: State = ()
        pasts = states.split(state, [2] * (len(state) // 2))
        for block, (h, m) in zip(cycle(self.blocks), pasts, strict=False):
            sums = block.norm.linear(torch.cat((h, h_depth), -1), block.weight, block.bias)
            time, depth = sums.chunk(2, -1)
            after += self._lstm(time, m, block.norm_time)
            h_depth, m_depth = self._lstm(depth, m_depth, block.norm_depth)
        return h_depth, after

    def _lstm(self, a: Tensor, m: Tensor, norm: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """The paper's LSTM, from what its gates read and its memory: the next ``h`` and ``m``."""
        i, f, g, o = a.chunk(4, -1)
        m = torch.sigmoid(f) * m + torch.sigmoid(i) * self.drop_candidate(torch.tanh(g))
        return torch.tanh(torch.sigmoid(o) * norm(m)), m


@final
class _Block(nn.Linear):
    """What the gates of both LSTMs read, ``W`` and ``b``, and how it and the memories are normalised."""

    def __init__(self, size: int, layer_norm: bool) -> None:
        super().__init__(2 * size, 8 * size)
        self.norm = normalization.of_sums(layer_norm, 4 * size, 4 * size)
        self.norm_time = normalization.of_memory(layer_norm, size)
        self.norm_depth = normalization.of_memory(layer_norm, size)
