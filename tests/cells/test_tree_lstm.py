from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.engine import fold, loop, scan

Node: TypeAlias = tuple[np.ndarray, np.ndarray]  # h and c


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


class Paper:
    """The equations of Tai et al. 2015, a node at a time."""

    def __init__(self, cell: TreeLSTM) -> None:
        W, U, b = (w.detach().numpy() for w in (cell.weight_ih, cell.weight_hh, cell.bias_ih))
        self.H, self.binary = cell.output_size, cell.composition == "binary"
        self.W = dict(zip("ifuo", np.split(W, 4), strict=True))
        self.b = dict(zip("ifuo", np.split(b, 4), strict=True))
        if self.binary:  # U["f1", 2] is the paper's U^(f)_12
            rows = zip(("i", "f1", "f2", "u", "o"), np.split(U, 5), strict=True)
            self.U: Any = {(g, k): m for g, row in rows for k, m in enumerate(np.split(row, 2, 1), 1)}
        else:
            self.U = dict(zip("ifuo", np.split(U, 4), strict=True))

    def node(self, x: np.ndarray, children: list[Node]) -> Node:
        return self.second(x, children) if self.binary else self.child_sum(x, children)

    def child_sum(self, x: np.ndarray, children: list[Node]) -> Node:
        W, U, b = self.W, self.U, self.b
        h_tilde = np.zeros(self.H)
        for h_k, _ in children:
            h_tilde = h_tilde + h_k  # (2)
        i = sigmoid(W["i"] @ x + U["i"] @ h_tilde + b["i"])  # (3)
        f = [sigmoid(W["f"] @ x + U["f"] @ h_k + b["f"]) for h_k, _ in children]  # (4)
        o = sigmoid(W["o"] @ x + U["o"] @ h_tilde + b["o"])  # (5)
        u = np.tanh(W["u"] @ x + U["u"] @ h_tilde + b["u"])  # (6)
        c = i * u
        for f_k, (_, c_k) in zip(f, children, strict=True):
            c = c + f_k * c_k  # (7)
        return o * np.tanh(c), c  # (8)

    def second(self, x: np.ndarray, children: list[Node]) -> Node:
        W, U, b = self.W, self.U, self.b
        nil = np.zeros(self.H), np.zeros(self.H)
        (h_1, c_1), (h_2, c_2) = [*children, nil, nil][:2]
        i = sigmoid(W["i"] @ x + U["i", 1] @ h_1 + U["i", 2] @ h_2 + b["i"])  # (9)
        f_1 = sigmoid(W["f"] @ x + U["f1", 1] @ h_1 + U["f1", 2] @ h_2 + b["f"])  # (10), k = 1
        f_2 = sigmoid(W["f"] @ x + U["f2", 1] @ h_1 + U["f2", 2] @ h_2 + b["f"])  # (10), k = 2
        o = sigmoid(W["o"] @ x + U["o", 1] @ h_1 + U["o", 2] @ h_2 + b["o"])  # (11)
        u = np.tanh(W["u"] @ x + U["u", 1] @ h_1 + U["u", 2] @ h_2 + b["u"])  # (12)
        c = i * u + f_1 * c_1 + f_2 * c_2  # (13)
        return o * np.tanh(c), c  # (14)

    def tree(self, x: np.ndarray, parents: list[int], node: int) -> Node:
        below = [self.tree(x, parents, child) for child, parent in enumerate(parents) if parent == node]
        return self.node(x[node], below)


def built(composition: Any) -> TreeLSTM:
    torch.manual_seed(0)
    return TreeLSTM(3, hidden_size=4, composition=composition).double()


@pytest.mark.parametrize(
    ("composition", "widest"),
    [("child-sum", 1), ("child-sum", 2), ("child-sum", 4), ("binary", 1), ("binary", 2)],
)
def test_a_forest_is_the_papers_recursion(
    forest: Callable[[int], Tensor], composition: str, widest: int
) -> None:
    cell, parents = built(composition), forest(widest)
    x = torch.randn(*parents.shape, 3, dtype=torch.double)
    y, root = fold(cell, x, parents)
    paper = Paper(cell)
    for n, t in itertools.product(*map(range, parents.shape)):
        tree = parents[n].tolist()
        if tree[t] == -2:
            assert not y[n, t].any()
            continue
        expected = paper.tree(x[n].numpy(), tree, t)
        np.testing.assert_allclose(y[n, t].detach(), expected[0], rtol=0, atol=1e-14)
        if tree[t] == -1:
            for tensor, wanted in zip(root, expected, strict=True):
                np.testing.assert_allclose(tensor[n].detach(), wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("composition", ["child-sum", "binary"])
def test_a_sequence_is_a_chain_of_nodes(composition: str) -> None:
    cell = built(composition)
    paper, start = Paper(cell), np.random.default_rng(0).normal(size=(2, 4))
    x = torch.randn(1, 5, 3, dtype=torch.double)
    state = tuple(torch.from_numpy(tensor)[None] for tensor in start)
    node: Node = (start[0], start[1])
    expected = []
    for x_t in x[0].numpy():
        node = paper.node(x_t, [node])
        expected.append(node[0])
    for read in (scan, loop):
        y, last = read(cell, x, None, state)
        np.testing.assert_allclose(y[0].detach(), expected, rtol=0, atol=1e-14)
        for tensor, wanted in zip(last, node, strict=True):
            np.testing.assert_allclose(tensor[0].detach(), wanted, rtol=0, atol=1e-14)


def as_lstm(cell: TreeLSTM) -> nn.LSTM:
    """torch's LSTM, in both directions, with the weights that a node's only child meets."""
    lstm = nn.LSTM(cell.input_size, cell.output_size, batch_first=True, bidirectional=True).double()
    weight = cell.weight_hh
    if cell.composition == "binary":
        i, first, _, u, o = weight[:, : cell.output_size].chunk(5)
        weight = torch.cat([i, first, u, o])
    for suffix in ("", "_reverse"):
        bias = cell.bias_ih
        given = {"weight_ih": cell.weight_ih, "weight_hh": weight, "bias_ih": bias, "bias_hh": bias * 0}
        for name, tensor in given.items():
            getattr(lstm, f"{name}_l0{suffix}").data.copy_(tensor)
    return lstm


@pytest.mark.parametrize("composition", ["child-sum", "binary"])
@pytest.mark.parametrize("grad", [True, False])
def test_on_a_chain_it_is_torchs_lstm(
    composition: str, lengths: Tensor | None, reverse: bool, grad: bool
) -> None:
    """As steps, as torch's kernel and as a tree of single children; values and gradients of the input."""
    cell = built(composition)
    lstm, size = as_lstm(cell), cell.output_size
    x = torch.randn(4, 5, 3, dtype=torch.double, requires_grad=True)
    ends = [5] * 4 if lengths is None else lengths.tolist()
    with torch.set_grad_enabled(grad):
        y, last = scan(cell, x, lengths, None, reverse)
        for n, end in enumerate(ends):
            if end == 0:
                assert not y[n].any()
                continue
            wanted, (h, c) = lstm(x[n : n + 1, :end])
            wanted = wanted[0, :, size:] if reverse else wanted[0, :, :size]
            torch.testing.assert_close(y[n, :end], wanted, rtol=0, atol=1e-13)
            ours = last[0][n], last[1][n]
            torch.testing.assert_close(ours, (h[int(reverse), 0], c[int(reverse), 0]), rtol=0, atol=1e-13)
            up, down = [*range(1, end), -1], [-1, *range(end - 1)]
            y_tree, root = fold(cell, x[n : n + 1, :end], torch.tensor([down if reverse else up]))
            torch.testing.assert_close(y_tree[0], wanted, rtol=0, atol=1e-13)
            torch.testing.assert_close((root[0][0], root[1][0]), ours, rtol=0, atol=1e-13)
            if grad:
                of_scan, of_lstm, of_tree = (
                    torch.autograd.grad(out.square().sum(), x, retain_graph=True)[0][n]
                    for out in (y[n, :end], wanted, y_tree)
                )
                torch.testing.assert_close(of_scan, of_lstm, rtol=0, atol=1e-13)
                torch.testing.assert_close(of_tree, of_lstm, rtol=0, atol=1e-13)


def test_the_children_of_a_sum_have_no_order_and_those_of_a_pair_have_one() -> None:
    x = torch.randn(1, 3, 3, dtype=torch.double)
    turned = x[:, [1, 0, 2]]
    parents = torch.tensor([[2, 2, -1]])
    for composition, same in (("child-sum", True), ("binary", False)):
        cell = built(composition)
        roots = [fold(cell, leaves, parents)[1][0] for leaves in (x, turned)]
        assert torch.allclose(*roots, rtol=0, atol=1e-14) is same


def test_a_pair_refuses_three_children() -> None:
    with pytest.raises(ValueError, match=r"at most 2 children of a node, got 3; set cell\.comp"):
        fold(built("binary"), torch.zeros(1, 4, 3).double(), torch.tensor([[3, 3, 3, -1]]))


@pytest.mark.parametrize(("composition", "widest"), [("child-sum", 4), ("binary", 2)])
def test_gradients_are_those_of_finite_differences(
    true_gradients: Callable[..., None],
    true_gradients_on_trees: Callable[..., None],
    composition: Any,
    widest: int,
) -> None:
    cell = TreeLSTM(2, hidden_size=3, composition=composition)
    true_gradients(cell)
    true_gradients_on_trees(cell, widest)


@pytest.mark.parametrize("composition", ["child-sum", "binary"])
def test_weights_start_uniform(composition: Any) -> None:
    torch.manual_seed(0)
    for parameter in TreeLSTM(50, hidden_size=100, composition=composition).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1  # 1 / sqrt(100)
