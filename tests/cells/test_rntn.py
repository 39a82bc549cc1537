from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from rnnx.cells.rntn import RNTN
from rnnx.cells.tree_rnn import TreeRNN
from rnnx.core.engine import fold, scan
from tests.cells.recursion import Recursion


class Papers(Recursion):
    """``p(a, b) = tanh([a; b]' V [a; b] + W [a; b] + b)``, one slice after the other (section 4.3)."""

    def __init__(self, cell: RNTN) -> None:
        super().__init__(cell.weight_ih.detach().numpy())
        self.W, self.b, self.V = (
            weight.detach().numpy() for weight in (cell.weight_hh, cell.bias_hh, cell.tensor_hh)
        )

    def p(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        both = np.concatenate([a, b])
        forms = [sum(V[i, j] * x * y for i, x in enumerate(both) for j, y in enumerate(both)) for V in self.V]
        return np.tanh(np.array(forms) + self.W @ both + self.b)


def built() -> RNTN:
    """One whose tensor counts for as much as its matrix."""
    torch.manual_seed(0)
    cell = RNTN(3, hidden_size=4).double()
    with torch.no_grad():
        cell.tensor_hh.mul_(10)
    return cell


@pytest.mark.parametrize("widest", [1, 2, 4])
def test_a_forest_is_the_papers_recursion(forest: Callable[[int], Tensor], widest: int) -> None:
    cell, parents = built(), forest(widest)
    x = torch.randn(*parents.shape, 3, dtype=torch.double)
    y, (root,) = fold(cell, x, parents)
    paper = Papers(cell)
    for n, t in itertools.product(*map(range, parents.shape)):
        tree = parents[n].tolist()
        expected = np.zeros(4) if tree[t] == -2 else paper.tree(x[n].numpy(), tree, t)
        np.testing.assert_allclose(y[n, t].detach(), expected, rtol=0, atol=1e-13)
        if tree[t] == -1:
            np.testing.assert_allclose(root[n].detach(), expected, rtol=0, atol=1e-13)


def test_one_number_by_hand() -> None:
    """[a; b] is (2, 3); its form is 1 * 4 + 10 * 6 + 100 * 6 + 1000 * 9, its sum 0.5 * 2 - 3 * 3."""
    cell = RNTN(1, hidden_size=1).double()
    with torch.no_grad():
        cell.tensor_hh.copy_(torch.tensor([[[1.0, 10.0], [100.0, 1000.0]]]).double() / 10_000)
        cell.weight_hh.copy_(torch.tensor([[0.5, -3.0]]))
        cell.bias_hh.fill_(8.0)
    children = torch.tensor([[[2.0], [3.0]]], dtype=torch.double)
    y, _ = cell.fold(torch.zeros(1, 1).double(), (children,), torch.tensor([[True, True]]))
    torch.testing.assert_close(y.item(), np.tanh(0.9664 + 1 - 9 + 8), rtol=0, atol=1e-14)


def test_a_sequence_is_composed_from_left_to_right() -> None:
    cell = built()
    paper, h = Papers(cell), np.array([0.5, -1.0, 2.0, 0.1])
    x = torch.randn(2, 5, 3, dtype=torch.double)
    y, (last,) = scan(cell, x, torch.tensor([5, 3]), (torch.from_numpy(np.stack([h, h])),))
    for n, length in enumerate([5, 3]):
        h_t = h
        for t in range(length):
            h_t = paper.p(h_t, paper.leaf @ x[n, t].numpy())
            np.testing.assert_allclose(y[n, t].detach(), h_t, rtol=0, atol=1e-13)
        np.testing.assert_allclose(last[n].detach(), h_t, rtol=0, atol=1e-13)


def test_without_its_tensor_it_is_the_recursive_network(forest: Callable[[int], Tensor]) -> None:
    cell, plain, parents = built(), TreeRNN(3, hidden_size=4).double(), forest(3)
    with torch.no_grad():
        cell.tensor_hh.zero_()
    plain.load_state_dict({name: w for name, w in cell.state_dict().items() if name != "tensor_hh"})
    x = torch.randn(*parents.shape, 3, dtype=torch.double)
    torch.testing.assert_close(fold(cell, x, parents), fold(plain, x, parents), rtol=0, atol=1e-14)


def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None], true_gradients_on_trees: Callable[..., None]
) -> None:
    cell = RNTN(2, hidden_size=3)
    true_gradients(cell)
    true_gradients_on_trees(cell, 4)


def test_a_node_starts_near_the_mean_of_its_children_and_the_tensor_small() -> None:
    torch.manual_seed(0)
    cell = RNTN(50, hidden_size=25)
    assert not cell.bias_hh.any()
    noise = cell.weight_hh - torch.cat([torch.eye(25), torch.eye(25)], 1) / 2
    assert 0.095 < noise.abs().max() <= 0.1  # 1 / (2 sqrt(25))
    assert 0.15 < cell.weight_ih.abs().max() <= 0.2  # 1 / sqrt(25)
    assert 0.0099 < cell.tensor_hh.abs().max() <= 0.01  # 1 / (4 * 25)
