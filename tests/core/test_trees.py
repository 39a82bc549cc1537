from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from rnnx.cells.gru import GRU
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.engine import fold
from rnnx.core.layers import Layer
from rnnx.core.net import Net
from rnnx.core.trees import Trees

T = 7


@st.composite
def forests(draw: st.DrawFn) -> list[list[int]]:
    """Rows of parents: a node hangs on one drawn before it, and then all are numbered anew."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(st.integers(1, T))
        numbers = draw(st.permutations(range(size)))
        row = [-2] * T
        row[numbers[0]] = -1
        for node in range(1, size):
            row[numbers[node]] = numbers[draw(st.integers(0, node - 1))]
        rows.append(row)
    return rows


def height(row: list[int], node: int) -> int:
    return max((1 + height(row, child) for child, parent in enumerate(row) if parent == node), default=0)


@given(forests())
def test_levels_are_heights_and_children_are_those_who_name_their_parent(rows: list[list[int]]) -> None:
    trees = Trees.of(torch.tensor(rows))
    nodes = [divmod(place, T) for place in trees.nodes.tolist()]
    assert sorted(nodes) == [(n, t) for n, row in enumerate(rows) for t in range(T) if row[t] > -2]
    heights = [height(rows[n], t) for n, t in nodes]
    assert heights == [level for level, size in enumerate(trees.sizes) for _ in range(size)]
    assert [nodes[root] for root in trees.roots.tolist()] == [
        (n, row.index(-1)) for n, row in enumerate(rows)
    ]
    for (n, t), children, present in zip(nodes, trees.children, trees.present, strict=True):
        named = [(n, child) for child in range(T) if rows[n][child] == t]
        assert [nodes[child] for child in children[present]] == named
        assert present.tolist() == [True] * len(named) + [False] * (len(present) - len(named))
        assert children[~present].eq(0).all()


@pytest.mark.parametrize("parents", [[[-1, -1]], [[1, 0]], [[-2, -2]], [[-1, 0], [0, -2]]])
def test_a_tree_has_one_root(parents: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="exactly one root"):
        Trees.of(torch.tensor(parents))


def test_a_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="ring"):
        Trees.of(torch.tensor([[-1, 2, 1]]))


def test_trees_of_another_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3\), got \(1, 2\)"):
        fold(GRU(2, hidden_size=2), torch.zeros(1, 3, 2), Trees.of(torch.tensor([[1, -1]])))


def of(row: torch.Tensor) -> Trees:
    return Trees.of(row.unsqueeze(0))


def test_trees_made_in_a_loaders_worker_are_those_made_at_home() -> None:
    parents = torch.tensor([[2, 2, -1], [-1, 0, -2]])
    loader = DataLoader(list(parents), batch_size=None, collate_fn=of, num_workers=1)
    for row, trees in zip(parents, loader, strict=True):
        assert trees.nodes.tolist() == of(row).nodes.tolist()
        assert trees.move(torch.Tensor.int).children.dtype == torch.int
        assert trees.move(torch.Tensor.int).sizes == of(row).sizes


def test_a_stack_composes_layer_by_layer() -> None:
    net = Net.from_plain({"cell": {"name": "tree-lstm", "hidden_size": 4}, "layers": 2}).encoder(3)
    x, parents = torch.randn(2, 3, 3), torch.tensor([[2, 2, -1], [-1, 0, -2]])
    y, state = net(x, torch.tensor([3, 2]), None, Trees.of(parents))
    lower, upper = (layer for layer in net.modules() if isinstance(layer, Layer))
    between, below = fold(lower.cell, x, parents)
    above, root = fold(upper.cell, between, parents)
    torch.testing.assert_close(y, above)
    torch.testing.assert_close(state, below + root)
    assert isinstance(lower.cell, TreeLSTM)


def test_a_tree_has_no_second_direction() -> None:
    net = Net.from_plain({"cell": {"name": "gru", "hidden_size": 4}, "bidirectional": True}).encoder(3)
    with pytest.raises(TypeError, match=r"one direction; set net\.bidirectional=false"):
        net(torch.randn(1, 2, 3), None, None, Trees.of(torch.tensor([[1, -1]])))
