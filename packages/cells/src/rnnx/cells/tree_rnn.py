"""Goller & Küchler 1996, backpropagation through structure; score: Socher et al. 2011, parsing scenes."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn

from rnnx.core import state as states
from rnnx.core.bounds import Positive
from rnnx.core.cell import TreeCell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class TreeRNN(TreeCell):
    r"""The recursive network: one matrix that composes two vectors into one (also Socher et al. 2011).

    .. math::
        p(a, b) &= f(W [a; b] + b_W) \\
        \operatorname{leaf}(x) &= V x \\
        h &= p(a, b + \operatorname{leaf}(x)) \\
        s &= u \cdot h

    for a node with children ``a``, ``b`` and an input ``x`` of its own. A missing child is a vector of zeros,
    as is the leaf of an input of zeros; so

    * a node of two children without an input is ``p(a, b)``;
    * a node of one child is ``p(a, leaf(x))``, which on a sequence is
      :math:`h_t = p(h_{t-1}, \operatorname{leaf}(x_t))`;
    * a leaf is ``p(0, leaf(x))``;
    * more than two children are composed from left to right: of three, ``p(p(a, b), c + leaf(x))``.

    ``children`` stand at the front of their places, as the engine gives them. The state is ``h``; the output
    is ``h``, or with a score ``[h; s]``, of width ``H + 1``. Parameters: ``weight_ih`` is ``V`` ``(H, I)``,
    ``weight_hh`` is ``W`` ``(H, 2 H)``, ``bias_hh`` is ``b_W``, ``weight_score`` is ``u`` ``(1, H)``. ``W``
    and ``b_W`` start so that a node is nearly ``f((a + b) / 2)``, see :func:`start_near_the_mean`.

    Deviations: in the papers' equation nodes have two children and no input, and leaves are trained vectors;
    what ``leaf``, one child and many do is defined here. The score is Socher's, which ranks possible nodes.

    Args:
        hidden_size: Width ``H`` of ``h``.
        activation: ``f``.
        score: Whether the output holds each node's score, its last feature.

    Example:
        The tree (a b), its root last and without an input:

        >>> from rnnx.core.engine import fold
        >>> cell = TreeRNN(3, hidden_size=4, score=True)
        >>> x = torch.tensor([[[1., 0., 0.], [0., 1., 0.], [0., 0., 0.]]])
        >>> y, (root,) = fold(cell, x, torch.tensor([[2, 2, -1]]))
        >>> y.shape, torch.equal(root, y[:, 2, :4])
        (torch.Size([1, 3, 5]), True)
    """

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: Positive = 256,
        activation: Literal["tanh", "sigmoid", "relu"] = "tanh",
        score: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size + score, (hidden_size,)
        self.activation = activation
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))  # V
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 2 * hidden_size))  # W
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        self.weight_score = nn.Parameter(torch.empty(1, hidden_size)) if score else None  # u
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)
        start_near_the_mean(self.weight_hh, self.bias_hh)

    def project(self, x: Tensor) -> Tensor:
        _, second = self.weight_hh.chunk(2, -1)
        return linear(linear(x, self.weight_ih), second, self.bias_hh)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        first, second = self.weight_hh.chunk(2, -1)
        past = torch.zeros_like(z)
        for k, child in enumerate(states.present(children, mask)[0].unbind(1)):  # each (N, H)
            if k > 1:  # what was the second becomes, with all before it, the first
                composed = linear(self._activate(past + self.bias_hh), first)
                past = torch.where(mask[:, k : k + 1], composed, past)
            past = past + linear(child, second if k else first)
        h = self._activate(z + past)
        return self._output(h), (h,)

    def _activate(self, a: Tensor) -> Tensor:
        return getattr(torch, self.activation)(a)

    def _output(self, h: Tensor) -> Tensor:
        if self.weight_score is None:
            return h
        return torch.cat((h, linear(h, self.weight_score)), -1)


@torch.no_grad()
def start_near_the_mean(weight: Tensor, bias: Tensor) -> None:
    r"""Draws a matrix of composition, so that a node is nearly its children's mean (Socher et al. 2013a).

    Half an identity for each child, as in their "Parsing with compositional vector grammars", and noise from
    :math:`-1 / (2 \sqrt{H})` to :math:`1 / (2 \sqrt{H})`, as in their code for sentiment; no bias.

    Args:
        weight: ``W``, ``(H, 2 H)``.
        bias: ``b``, ``(H,)``.

    Example:
        >>> weight, bias = torch.empty(100, 200), torch.empty(100)
        >>> start_near_the_mean(weight, bias)
        >>> a, b = torch.eye(100)[:2]
        >>> (weight @ torch.cat((a, b)) + bias - (a + b) / 2).abs().max() <= 0.1
        tensor(True)
    """
    size = len(weight)
    nn.init.uniform_(weight, -(size**-0.5) / 2, size**-0.5 / 2)
    weight += torch.eye(size).repeat(1, 2) / 2
    bias.zero_()
