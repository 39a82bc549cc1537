from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rnnx.cells.tree_rnn import TreeRNN
from rnnx.core.engine import fold, scan
from tests.cells.recursion import Recursion

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.maximum(a, 0),
}


class Papers(Recursion):
    """``p(a, b) = f(W [a; b] + b)``, ``s = u.p``, with the leaf of a node's own input at its second place."""

    def __init__(self, cell: TreeRNN) -> None:
        super().__init__(cell.weight_ih.detach().numpy())
        self.W, self.b = cell.weight_hh.detach().numpy(), cell.bias_hh.detach().numpy()
        self.f = ACTIVATIONS[cell.activation]

    def p(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.f(self.W @ np.concatenate([a, b]) + self.b)


def built(**options: Any) -> TreeRNN:
    torch.manual_seed(0)
    return TreeRNN(3, hidden_size=4, **options).double()


@pytest.mark.parametrize("widest", [1, 2, 4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_forest_is_the_papers_recursion(
    forest: Callable[[int], Tensor], activation: Any, widest: int
) -> None:
    cell, parents = built(activation=activation), forest(widest)
    x = torch.randn(*parents.shape, 3, dtype=torch.double)
    y, (root,) = fold(cell, x, parents)
    paper = Papers(cell)
    for n, t in itertools.product(*map(range, parents.shape)):
        tree = parents[n].tolist()
        expected = np.zeros(4) if tree[t] == -2 else paper.tree(x[n].numpy(), tree, t)
        np.testing.assert_allclose(y[n, t].detach(), expected, rtol=0, atol=1e-14)
        if tree[t] == -1:
            np.testing.assert_allclose(root[n].detach(), expected, rtol=0, atol=1e-14)


def test_two_children_of_a_node_without_an_input_are_the_papers_composition() -> None:
    cell = built()
    a, b = torch.randn(2, 4, dtype=torch.double)
    z = cell.project(torch.zeros(1, 3, dtype=torch.double))
    y, _ = cell.fold(z, (torch.stack([a, b])[None],), torch.tensor([[True, True]]))
    expected = torch.tanh(cell.weight_hh @ torch.cat([a, b]) + cell.bias_hh)
    torch.testing.assert_close(y[0], expected, rtol=0, atol=1e-14)


def test_a_sequence_is_composed_from_left_to_right() -> None:
    cell = built()
    paper, h = Papers(cell), np.array([0.5, -1.0, 2.0, 0.1])
    x = torch.randn(2, 5, 3, dtype=torch.double)
    y, (last,) = scan(cell, x, torch.tensor([5, 3]), (torch.from_numpy(np.stack([h, h])),))
    for n, length in enumerate([5, 3]):
        h_t = h
        for t in range(length):
            h_t = paper.p(h_t, paper.leaf @ x[n, t].numpy())
            np.testing.assert_allclose(y[n, t].detach(), h_t, rtol=0, atol=1e-14)
        np.testing.assert_allclose(last[n].detach(), h_t, rtol=0, atol=1e-14)


def test_the_score_of_every_node_is_its_last_feature(forest: Callable[[int], Tensor]) -> None:
    cell, parents = built(score=True), forest(3)
    plain = TreeRNN(3, hidden_size=4).double()
    plain.load_state_dict({name: w for name, w in cell.state_dict().items() if name != "weight_score"})
    x = torch.randn(*parents.shape, 3, dtype=torch.double)
    (y, root), (expected, expected_root) = fold(cell, x, parents), fold(plain, x, parents)
    assert (cell.output_size, plain.output_size, cell.state_sizes) == (5, 4, (4,))
    assert torch.equal(y[..., :4], expected)
    assert torch.equal(root[0], expected_root[0])
    torch.testing.assert_close(y[..., 4], (expected * cell.weight_score).sum(-1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("score", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None],
    true_gradients_on_trees: Callable[..., None],
    activation: Any,
    score: bool,
) -> None:
    cell = TreeRNN(2, hidden_size=3, activation=activation, score=score)
    true_gradients(cell)
    true_gradients_on_trees(cell, 4)


def test_a_node_starts_near_the_mean_of_its_children() -> None:
    """``[I I] / 2`` (Socher, Bauer, Manning & Ng 2013), and noise to 1 / (2 sqrt(H))."""
    torch.manual_seed(0)
    cell = TreeRNN(50, hidden_size=100, score=True)
    assert not cell.bias_hh.any()
    noise = cell.weight_hh - torch.cat([torch.eye(100), torch.eye(100)], 1) / 2
    assert 0.049 < noise.abs().max() <= 0.05
    for parameter in (cell.weight_ih, cell.weight_score):
        assert parameter is not None
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
