"""Tai, Socher & Manning 2015, "Improved semantic representations from tree-structured LSTM networks"."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

import torch
from torch import Tensor, nn

from rnnx.cells import fused, normalization
from rnnx.core import state as states
from rnnx.core.bounds import Positive, refuse_other
from rnnx.core.cell import TreeCell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State

Composition: TypeAlias = Literal["child-sum", "binary"]


@final
class TreeLSTM(TreeCell):
    r"""Long short-term memory on trees, with a forget gate for each child.

    .. math::
        i &= \sigma(W^{(i)} x + \sum_k U_k^{(i)} h_k + b^{(i)}) \\
        f_k &= \sigma(W^{(f)} x + \sum_l U_{kl}^{(f)} h_l + b^{(f)}) \\
        u &= \tanh(W^{(u)} x + \sum_k U_k^{(u)} h_k + b^{(u)}) \\
        o &= \sigma(W^{(o)} x + \sum_k U_k^{(o)} h_k + b^{(o)}) \\
        c &= i \odot u + \sum_k f_k \odot c_k \\
        h &= o \odot \tanh(c)

    for a node with the input ``x`` and the children ``k = 1, 2 ...``.

    * ``child-sum`` (equations 2 to 8): any number of children in no order. :math:`U_k` is the same ``U`` for
      all, so that it acts on the sum of the children; and :math:`U_{kl}^{(f)}` is :math:`U^{(f)}` for
      ``k = l``, else zero.
    * ``binary`` (equations 9 to 14 for ``N = 2``): a first and a second child, each with matrices of its own;
      a forget gate sees both.

    A missing child is :math:`h_k = c_k = 0`: a leaf has the input alone. On a sequence the step before is the
    only child and the first, and the cell is a standard LSTM.

    The state is ``(h, c)``, the output ``h``. Parameters have the names and order of gates of
    ``torch.nn.LSTMCell``, with the rows ``i f u o``: ``weight_ih`` is ``W``, ``(4 H, I)``, ``bias_ih`` is
    ``b``, ``weight_hh`` is ``U``, ``(4 H, H)``; if binary ``(5 H, 2 H)``, with a column block for each child
    and rows for the forget gate of each, :math:`i, f_1, f_2, u, o`.

    With layer normalisation (Ba, Kiros & Hinton 2016), each ``LN`` over all rows of its matrix,

    .. math::
        \left[w_i; w_f; w_u; w_o\right] &= \mathrm{LN}(W x) \\
        i &= \sigma(w_i + v_i + b^{(i)}) \\
        f_k &= \sigma(w_f + v_{f_k} + b^{(f)}) \\
        u &= \tanh(w_u + v_u + b^{(u)}) \\
        o &= \sigma(w_o + v_o + b^{(o)}) \\
        h &= o \odot \tanh(\mathrm{LN}(c))

    and ``c`` as before. If binary, all ``v`` are rows of ``LN`` of the product of ``U`` and both children.
    With a sum of children :math:`v_i, v_u, v_o` are rows of ``LN`` of ``U`` times the sum, :math:`v_{f_k}` of
    ``LN`` of ``U`` times child ``k``: on a sequence the cell is an LSTM with layer normalisation.

    Deviations: none.

    Args:
        hidden_size: Width ``H`` of ``h`` and ``c``.
        composition: How children are read: their sum, or a first and a second one.
        forget_bias: Added to the initial bias of the forget gates.
        layer_norm: Whether the sums and, inside the output, the memory are normalised.

    Raises:
        ValueError: a node has more than two children and the composition is binary.

    Example:
        The tree (a b), its root last:

        >>> from rnnx.core.engine import fold
        >>> cell = TreeLSTM(3, hidden_size=4, composition="binary")
        >>> y, (h, c) = fold(cell, torch.zeros(1, 3, 3), torch.tensor([[2, 2, -1]]))
        >>> y.shape, torch.equal(h, y[:, 2])
        (torch.Size([1, 3, 4]), True)
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        composition: Composition = "child-sum",
        forget_bias: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        refuse_other("cell.composition", composition, Composition)
        self.input_size, self.output_size, self.state_sizes = (
            input_size,
            hidden_size,
            (hidden_size, hidden_size),
        )
        self.composition, self.layer_norm = composition, layer_norm
        rows, columns = (5, 2) if composition == "binary" else (4, 1)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # W
        self.weight_hh = nn.Parameter(torch.empty(rows * hidden_size, columns * hidden_size))  # U
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))  # b
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        with torch.no_grad():
            self.bias_ih.chunk(4)[1].add_(forget_bias)
        self.norm_ih = normalization.of_sums(layer_norm, 4 * hidden_size)
        self.norm_hh = normalization.of_sums(layer_norm, rows * hidden_size)
        self.norm_c = normalization.of_memory(layer_norm, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.norm_ih.linear(x, self.weight_ih, self.bias_ih)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        h, c = states.present(children, mask)  # (N, K, H)
        i, f, u, o = z.chunk(4, -1)
        past_i, past_f, past_u, past_o = self._binary(h) if self.composition == "binary" else self._sum(h)
        f = torch.sigmoid(f.unsqueeze(1) + past_f)  # (N, K, H)
        u = self.drop_candidate(torch.tanh(u + past_u))
        c = torch.sigmoid(i + past_i) * u + (f * c).sum(1)
        h = torch.sigmoid(o + past_o) * torch.tanh(self.norm_c(c))
        return h, (h, c)

    def unroll(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        if self.layer_norm:
            return None
        weights = (self.weight_ih, self._chain(), self.bias_ih, torch.zeros_like(self.bias_ih))
        return fused.unroll(torch.lstm, weights, x, lengths, state)

    def _sum(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the children add to the gates: ``f`` is ``(N, K, H)``, the others ``(N, H)``."""
        sums = linear(h, self.weight_hh)  # (N, K, 4 H)
        i, _, u, o = self.norm_hh(sums.sum(1)).chunk(4, -1)
        _, f, _, _ = self.norm_hh(sums).chunk(4, -1)
        return i, f, u, o

    def _binary(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same, from a first child and perhaps a second."""
        children, size = h.shape[1:]
        if children > 2:
            raise ValueError(
                f"a binary Tree-LSTM reads at most 2 children of a node, got {children}; "
                "set cell.composition=child-sum"
            )
        sums = self.norm_hh(linear(h.flatten(1), self.weight_hh[:, : children * size]))
        i, f, u, o = sums.split((size, 2 * size, size, size), -1)
        return i, f.unflatten(-1, (2, size))[:, :children], u, o

    def _chain(self) -> Tensor:
        """The part of ``U`` that the only child of a node meets, ``(4 H, H)``."""
        if self.composition == "child-sum":
            return self.weight_hh
        i, first, _, u, o = self.weight_hh[:, : self.output_size].chunk(5)
        return torch.cat((i, first, u, o))
