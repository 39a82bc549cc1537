from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rnnx.core.cell import Cell, TreeCell
from rnnx.core.state import State


class Leaky(Cell):
    """The least a cell can be; its output is wider than its state."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 2, 3, (2,)

    def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        h = z + 0.5 * state[0]
        return torch.cat((h, h[:, :1]), -1), (h,)


class Ordered(TreeCell):
    """A node that tells its children apart: child k counts k + 1 times."""

    def __init__(self) -> None:
        super().__init__()
        self.input_size, self.output_size, self.state_sizes = 1, 1, (1, 1)

    def fold(self, z: Tensor, children: State, mask: Tensor) -> tuple[Tensor, State]:
        weights = mask * torch.arange(1, mask.shape[1] + 1)  # (N, K)
        total, count = ((child[..., 0] * weights).sum(1, keepdim=True) for child in children)
        return z + total, (z + total, count + 1)


def test_a_cell_without_a_step_cannot_be_built() -> None:
    class Idle(Cell):
        pass

    with pytest.raises(TypeError, match="step"):
        Idle()


def test_a_tree_cell_without_a_fold_cannot_be_built() -> None:
    class Idle(TreeCell):
        pass

    with pytest.raises(TypeError, match="fold"):
        Idle()


def test_by_default_nothing_is_projected_and_nothing_unrolled() -> None:
    x = torch.randn(2, 5, 2)
    assert Leaky().project(x) is x
    assert Leaky().unroll(x, None, Leaky().initial_state(2, x)) is None


def test_the_state_starts_at_zero_in_every_tensor() -> None:
    state = Ordered().initial_state(3, torch.ones(1, dtype=torch.double))
    torch.testing.assert_close(state, (torch.zeros(3, 1).double(), torch.zeros(3, 1).double()))


def test_by_default_a_node_is_a_step_from_the_sum_of_its_children() -> None:
    children = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [100.0, 100.0]], [[100.0, 100.0]] * 2])
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    y, (h,) = Leaky().fold(torch.tensor([[1.0, 1.0]] * 3), (children,), mask)
    assert h.tolist() == [[3, 4], [3.5, 4], [1, 1]]  # 1 + (1 + 3) / 2 ...
    assert y.tolist() == [[3, 4, 3], [3.5, 4, 3.5], [1, 1, 1]]


@pytest.mark.parametrize("junk", [torch.nan, torch.inf])
def test_what_stands_where_there_is_no_child_does_not_matter(junk: float) -> None:
    children = torch.tensor([[[1.0, 2.0], [junk, junk]]])
    _, (h,) = Leaky().fold(torch.zeros(1, 2), (children,), torch.tensor([[True, False]]))
    assert h.tolist() == [[0.5, 1]]


def test_a_tree_cells_step_is_a_node_with_one_child() -> None:
    cell, z = Ordered(), torch.tensor([[10.0], [20.0]])
    state = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0]])
    y, after = cell.step(z, state)
    assert y.tolist() == [[11], [22]]
    assert [tensor.tolist() for tensor in after] == [[[11], [22]], [[4], [5]]]


def test_a_candidate_is_dropped_in_training_and_scaled_up() -> None:
    """Semeniuta et al. 2016: drawn anew at each step, and so scaled that the mean stays."""
    torch.manual_seed(0)
    cell, g = Leaky(), torch.randn(3, 200, 50)
    cell.recurrent_dropout = 0.2
    first, second = (cell.drop_candidate(g) for _ in range(2))
    for dropped in (first, second):
        gone = dropped == 0
        torch.testing.assert_close(dropped, (g / 0.8).masked_fill(gone, 0))
        assert 0.19 < gone.double().mean() < 0.21
    assert 0.035 < ((first == 0) & (second == 0)).double().mean() < 0.045


def test_a_candidate_stays_in_evaluation_and_without_a_rate() -> None:
    cell, g = Leaky(), torch.randn(4, 5)
    assert torch.equal(cell.drop_candidate(g), g)
    cell.recurrent_dropout = 0.5
    assert torch.equal(cell.eval().drop_candidate(g), g)
    assert not torch.equal(cell.train().drop_candidate(g), g)
    assert Leaky().recurrent_dropout == 0


def test_a_candidate_that_is_dropped_is_not_learnt_from() -> None:
    torch.manual_seed(0)
    cell, g = Leaky(), torch.randn(4, 50, requires_grad=True)
    cell.recurrent_dropout = 0.5
    dropped = cell.drop_candidate(g)
    dropped.sum().backward()
    assert torch.equal(g.grad, dropped.ne(0) * 2.0)


@pytest.mark.parametrize("name", ["project", "step", "unroll", "fold", "initial_state", "drop_candidate"])
def test_a_module_by_the_name_of_a_method_is_refused(name: str) -> None:
    """Torch keeps it among the modules, where the method of the class hides it."""

    class Hidden(Cell):
        def __init__(self) -> None:
            super().__init__()
            setattr(self, name, nn.Linear(2, 2))

        def step(self, z: Tensor, state: State) -> tuple[Tensor, State]:
            return z, state

    with pytest.raises(TypeError) as refused:
        Hidden()
    assert str(refused.value) == (
        f"Hidden.{name}: a module by the name of the method Cell.{name} would never be called; give it "
        "another name"
    )


def test_it_shows_its_widths_and_says_how_it_is_read() -> None:
    cell = Leaky()
    assert repr(cell) == "Leaky(2, 3)"
    with pytest.raises(TypeError, match=r"^Leaky: expected a way to read, as rnnx\.core\.engine\.scan"):
        cell(torch.zeros(2, 4, 2))
