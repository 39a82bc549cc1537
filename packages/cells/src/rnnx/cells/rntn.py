"""Socher et al. 2013, "Recursive deep models for semantic compositionality over a sentiment treebank"."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from rnnx.cells.tree_rnn import start_near_the_mean
from rnnx.core import state as states
from rnnx.core.bounds import Positive
from rnnx.core.cell import TreeCell
from rnnx.core.nets.linear import linear
from rnnx.core.state import State


@final
class RNTN(TreeCell):
    r"""The recursive neural tensor network: two vectors are composed by a matrix and by their products.

    .. math::
        p_i(a, b) &= \tanh([a; b]^\top V_i [a; b] + W_i [a; b] + b_i) \\
        \operatorname{leaf}(x) &= L x \\
        h &= p(a, b + \operatorname{leaf}(x))

    for each of its ``H`` numbers ``i`` and a node with children ``a``, ``b`` and an input ``x`` of its own:
    a slice of the tensor ``V`` makes a quadratic form. Missing children, nodes of one child and of more than
    two, and sequences are as of :class:`~rnnx.cells.tree_rnn.TreeRNN`, which this is without its tensor.

    The state and the output are ``h``. Parameters: ``weight_ih`` is ``L`` ``(H, I)``, ``weight_hh`` is ``W``
    ``(H, 2 H)``, ``bias_hh`` is ``b``, ``tensor_hh`` is ``V`` ``(H, 2 H, 2 H)``. Those of ``V`` grow with the
    cube of ``H``: 108,000 at 30 units, 67 million at 256; they start from -1 / (4 H) to 1 / (4 H), ``W`` and
    ``b`` as those of :class:`~rnnx.cells.tree_rnn.TreeRNN`.

    Deviations: in the paper nodes have two children and no input, and leaves are trained vectors of the width
    of ``h``.

    Args:
        hidden_size: Width ``H`` of ``h``; the paper's best are 25 to 35.

    Example:
        The tree (a b), its root last and without an input:

        >>> from rnnx.core.engine import fold
        >>> x = torch.tensor([[[1., 0., 0.], [0., 1., 0.], [0., 0., 0.]]])
        >>> y, (root,) = fold(RNTN(3, hidden_size=4), x, torch.tensor([[2, 2, -1]]))
        >>> y.shape, torch.equal(root, y[:, 2])
        (torch.Size([1, 3, 4]), True)
    """

    def __init__(self, input_size: int, *, hidden_size: Positive = 30) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = input_size, hidden_size, (hidden_size,)
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))  # L
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 2 * hidden_size))  # W
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        self.tensor_hh = nn.Parameter(torch.empty(hidden_size, 2 * hidden_size, 2 * hidden_size))  # V
        nn.init.uniform_(self.weight_ih, -(hidden_size**-0.5), hidden_size**-0.5)
        start_near_the_mean(self.weight_hh, self.bias_hh)
        nn.init.uniform_(self.tensor_hh, -1 / (4 * hidden_size), 1 / (4 * hidden_size))

    def project(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        a = b = torch.zeros_like(z)
        for k, child in enumerate(states.present(children, mask)[0].unbind(1)):  # each (N, H)
            if k == 0:
                a = child
            elif k == 1:
                b = child
            else:  # what was the second becomes, with all before it, the first
                there = mask[:, k : k + 1]
                a, b = torch.where(there, self._composed(a, b), a), torch.where(there, child, b)
        h = self._composed(a, b + z)
        return h, (h,)

    def _composed(self, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat((a, b), -1)  # (N, 2 H)
        products = linear(both, self.tensor_hh.flatten(0, 1))  # (N, H 2 H)
        forms = products.unflatten(-1, (-1, both.shape[-1])) @ both.unsqueeze(-1)  # (N, H, 1)
        return torch.tanh(forms.squeeze(-1) + linear(both, self.weight_hh, self.bias_hh))
