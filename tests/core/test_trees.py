from __future__ import annotations

from itertools import chain, groupby
from typing import Any, final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader

from rnnx.cells.gru import GRU
from rnnx.cells.tree_lstm import TreeLSTM
from rnnx.core.cell import Cell
from rnnx.core.engine import fold
from rnnx.core.layers import Layer
from rnnx.core.net import Net
from rnnx.core.state import State
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
    waiting: list[tuple[int, int]] = []
    for number, level in enumerate(trees.levels):
        own = [node for node, high in zip(nodes, heights, strict=True) if high == number]
        for (n, t), children, present in zip(own, level.children, level.present, strict=True):
            named = [(n, child) for child in range(T) if rows[n][child] == t]
            assert [waiting[child] for child in children[present]] == named
            assert present.tolist() == [True] * len(named) + [False] * (len(present) - len(named))
            assert children[~present].eq(0).all()
        assert level.present.shape[1] == level.present.sum(1).max()
        above = [(n, t) for n, t in waiting if (n, rows[n][t]) not in own]
        assert [waiting[kept] for kept in level.waiting] == above
        waiting = above + own
    assert [waiting[root] for root in trees.roots] == [(n, row.index(-1)) for n, row in enumerate(rows)]


@given(forests())
def test_children_and_roots_are_found_by_their_place_in_the_order_too(rows: list[list[int]]) -> None:
    trees = Trees.of(torch.tensor(rows))
    nodes = [divmod(place, T) for place in trees.nodes.tolist()]
    counts: dict[int, set[int]] = {}
    for (n, t), below in zip(nodes, trees.below.tolist(), strict=True):
        named = [nodes.index((n, child)) for child in range(T) if rows[n][child] == t]
        assert below == named + [len(nodes)] * (len(below) - len(named))
        counts.setdefault(height(rows[n], t), set()).add(len(named))
    assert [nodes[top] for top in trees.tops] == [(n, row.index(-1)) for n, row in enumerate(rows)]
    kinds = [(height(rows[n], t), sum(parent == t for parent in rows[n])) for n, t in nodes]
    assert kinds == sorted(kinds)
    told = [kind for kind, _ in groupby(kinds)]
    assert trees.groups == [kinds.count(kind) for kind in told]
    assert trees.counts == [count for _, count in told]


@given(forests(), st.data())
def test_what_is_read_is_all_that_is_not_silent(rows: list[list[int]], data: st.DataObject) -> None:
    size = st.lists(st.booleans(), min_size=T, max_size=T)
    silent = [data.draw(size) for _ in rows]
    trees = Trees.of(torch.tensor(rows), torch.tensor(silent))
    read = trees.given.tolist()
    for place, number in zip(trees.nodes.tolist(), trees.inputs.tolist(), strict=True):
        n, t = divmod(place, T)
        assert number == (len(read) if silent[n][t] else read.index(place))
    assert len(read) == sum(
        row[t] > -2 and not quiet[t] for row, quiet in zip(rows, silent, strict=True) for t in range(T)
    )


def test_who_waits_is_kept_until_its_parent_comes() -> None:
    trees = Trees.of(torch.tensor([[4, 4, 5, 6, 5, 6, -1]]))  # ((0 1)4 2)5 and 3 under 6
    leaves, *inner = trees.levels
    assert (leaves.children.shape, leaves.waiting.tolist()) == ((4, 0), [])
    assert [level.children.tolist() for level in inner] == [[[0, 1]], [[0, 2]], [[0, 1]]]
    assert [level.waiting.tolist() for level in inner] == [[2, 3], [1], []]  # 2 and 3, then 3, then none
    assert trees.roots.tolist() == [0]


@pytest.mark.parametrize("parents", [[[-1, -1]], [[1, 0]], [[-2, -2]], [[-1, 0], [0, -2]]])
def test_a_tree_has_one_root(parents: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="exactly one root"):
        Trees.of(torch.tensor(parents))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [2, 3, -1],
            "row 1, node 1: expected as parent a node of the row, 0 to 2, or -1 of the root, .* got 3",
        ),
        ([2, -3, -1], "row 1, node 1: .* got -3"),
        ([-2, 0, -1], "row 1, node 1: .* got 0, padding"),
    ],
)
def test_a_parent_that_is_no_node_of_the_row_is_refused(row: list[int], message: str) -> None:
    """The next row's, if it were read, or nobody's."""
    with pytest.raises(ValueError, match=message):
        Trees.of(torch.tensor([[2, 2, -1], row, [2, 2, -1]]))


@pytest.mark.parametrize("row", [[-1, 1, -2, -2, -2], [-1, 2, 1, -2, -2], [2, 0, 1, 2, -1]])
def test_a_ring_is_refused(row: list[int]) -> None:
    with pytest.raises(ValueError, match="ring"):
        Trees.of(torch.tensor([[1, 2, 3, 4, -1], row]))


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
        assert trees.sizes == of(row).sizes
        moved = trees.move(torch.Tensor.int)
        own = [moved.nodes, moved.given, moved.inputs, moved.roots, moved.below, moved.tops]
        tensors = [*own, *chain(*moved.levels)]
        assert {tensor.dtype for tensor in tensors} == {torch.int}


def test_silent_nodes_read_zeros_and_what_stands_there_gets_no_gradient() -> None:
    cell = TreeLSTM(2, hidden_size=3, composition="binary").double()
    parents = torch.tensor([[2, 2, -1, -2], [-1, 0, 1, 0]])
    silent = torch.tensor([[False, True, True, True], [False, True, False, True]])
    junk = torch.randn(2, 4, 2, dtype=torch.double, requires_grad=True)
    zeros = junk.detach().masked_fill(silent.unsqueeze(-1), 0).requires_grad_()
    found, wanted = fold(cell, junk, Trees.of(parents, silent)), fold(cell, zeros, parents)
    torch.testing.assert_close(found, wanted)
    parameters = list(cell.parameters())
    (to_x, *to_weights), (to_zeros, *expected) = (
        torch.autograd.grad(y.sin().sum() + root[1].sum(), [x, *parameters])
        for (y, root), x in ((found, junk), (wanted, zeros))
    )
    torch.testing.assert_close(to_x, to_zeros.masked_fill(silent.unsqueeze(-1), 0))
    torch.testing.assert_close(to_weights, expected)


@final
class Projecting(Cell):
    """Keeps how many rows were projected."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1,)
        self.rows: list[int] = []

    def project(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        return x

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        return state[0] + z, (state[0] + z,)


def test_of_all_silent_nodes_the_projection_is_one() -> None:
    cell, silent = Projecting(), torch.tensor([[False, True, True, True]])
    fold(cell, torch.randn(1, 4, 1), Trees.of(torch.tensor([[1, 2, 3, -1]]), silent))
    assert cell.rows == [2]


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


def test_an_upper_layer_hears_nodes_that_are_silent_below() -> None:
    net = Net.from_plain({"cell": {"name": "gru", "hidden_size": 4}, "layers": 3}).encoder(3)
    silent, parents = torch.tensor([[False, False, True]]), torch.tensor([[2, 2, -1]])
    x = torch.randn(1, 3, 3).masked_fill(silent.unsqueeze(-1), 0)
    found = net(x, None, None, Trees.of(parents, silent))
    torch.testing.assert_close(found, net(x, None, None, Trees.of(parents)))


def test_a_tree_has_no_second_direction() -> None:
    net = Net.from_plain({"cell": {"name": "gru", "hidden_size": 4}, "bidirectional": True}).encoder(3)
    with pytest.raises(TypeError, match=r"one direction; set net\.bidirectional=false"):
        net(torch.randn(1, 2, 3), None, None, Trees.of(torch.tensor([[1, -1]])))


@pytest.mark.parametrize(
    "parents", [[[1, -1]], np.array([[1, -1]]), torch.tensor([[1.0, -1.0]]), torch.tensor([1, -1]), None]
)
def test_parents_are_a_tensor_of_whole_numbers(parents: Any) -> None:
    with pytest.raises(TypeError, match="parents must be a tensor of whole numbers"):
        Trees.of(parents)


@pytest.mark.parametrize("silent", [torch.tensor([[1, 0]]), torch.tensor([[True]])])
def test_what_is_silent_is_said_of_each_node(silent: Tensor) -> None:
    with pytest.raises(TypeError, match=r"silent must be a tensor of booleans, \(1, 2\), got one of torch"):
        Trees.of(torch.tensor([[1, -1]]), silent)
