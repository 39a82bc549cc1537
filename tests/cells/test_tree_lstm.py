from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnx.cells.lstm import LSTM
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.engine import fold, loop, scan
from rnnx.core.errors import UsageError

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


def normalised(cell: TreeLSTM, LN: Any) -> Callable[..., Any]:  # noqa: N803
    """A node of Tai et al. 2015 with the LN of Ba et al. 2016 and the d of Semeniuta et al. 2016."""
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}

    def node(x: np.ndarray, hs: np.ndarray, cs: np.ndarray, d_u: np.ndarray) -> Node:
        def past(h: np.ndarray) -> np.ndarray:
            return LN(w["weight_hh"] @ h, w["norm_hh.gain"])

        W_i, W_f, W_u, W_o = np.split(LN(w["weight_ih"] @ x, w["norm_ih.gain"]) + w["bias_ih"], 4)
        if cell.composition == "binary":
            h = np.concatenate([*hs, *np.zeros((2, 4))][:2])
            U_i, U_f1, U_f2, U_u, U_o = np.split(past(h), 5)
            U_f = [U_f1, U_f2][: len(hs)]
        else:
            U_i, _, U_u, U_o = np.split(past(hs.sum(0)), 4)
            U_f = [np.split(past(h_k), 4)[1] for h_k in hs]
        c = sigmoid(W_i + U_i) * d_u * np.tanh(W_u + U_u)
        for U_k, c_k in zip(U_f, cs, strict=True):
            c = c + sigmoid(W_f + U_k) * c_k
        return sigmoid(W_o + U_o) * np.tanh(LN(c, w["norm_c.weight"], w["norm_c.bias"])), c

    return node


@pytest.mark.parametrize(
    ("composition", "children"),
    [("child-sum", 1), ("child-sum", 2), ("child-sum", 3), ("binary", 1), ("binary", 2)],
)
@pytest.mark.parametrize("training", [False, True])
def test_normalised_and_with_its_candidate_dropped_it_is_the_papers(
    of_ba: Callable[..., np.ndarray], composition: Any, children: int, training: bool
) -> None:
    """Nodes of all their children, of one fewer and so on."""
    torch.manual_seed(0)
    cell = TreeLSTM(3, hidden_size=4, composition=composition, layer_norm=True).double().train(training)
    cell.recurrent_dropout, rows = 0.5, children + 1
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    x, (h, c) = torch.randn(rows, 3).double(), torch.randn(2, rows, children, 4).double()
    counts = torch.arange(children, -1, -1)
    torch.manual_seed(1)
    d_u = F.dropout(torch.ones(rows, 4).double(), 0.5, training).numpy()
    torch.manual_seed(1)
    y, last = cell.fold(cell.project(x), (h, c), torch.arange(children) < counts.unsqueeze(1))
    assert y is last[0]
    node = normalised(cell, of_ba)
    for n, count in enumerate(counts):
        expected = node(x[n].numpy(), h[n, :count].numpy(), c[n, :count].numpy(), d_u[n])
        for tensor, wanted in zip(last, expected, strict=True):
            np.testing.assert_allclose(tensor[n].detach(), wanted, rtol=0, atol=1e-11)


def test_normalised_a_sequence_is_read_by_an_lstm_with_layer_normalisation() -> None:
    torch.manual_seed(0)
    tree, lstm = (cell_class(3, hidden_size=4, layer_norm=True).double() for cell_class in (TreeLSTM, LSTM))
    lstm.load_state_dict({**tree.state_dict(), "bias_hh": torch.zeros(16)})
    x = torch.randn(2, 5, 3, dtype=torch.double)
    torch.testing.assert_close(scan(tree, x), scan(lstm, x), rtol=0, atol=1e-14)


def test_what_it_remembers_outlives_a_dropped_candidate(keeps_its_memory: Callable[..., None]) -> None:
    keeps_its_memory(TreeLSTM(3, hidden_size=8, forget_bias=1000.0), 1)


@pytest.mark.parametrize("composition", ["child-sum", "binary"])
def test_the_forget_bias_is_added_to_the_forget_gates_alone(
    shifted: Callable[..., Any], composition: Any
) -> None:
    moved = shifted(TreeLSTM, {"forget_bias": 1.5}, composition=composition)
    assert moved == {"bias_ih": [0, 0, 1.5, 1.5, 0, 0, 0, 0]}


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


def test_another_composition_is_refused_from_python_too() -> None:
    with pytest.raises(
        UsageError, match=r"^cell\.composition: expected one of child-sum, binary, got 'sum'$"
    ):
        TreeLSTM(3, hidden_size=4, composition="sum")  # type: ignore[arg-type]
