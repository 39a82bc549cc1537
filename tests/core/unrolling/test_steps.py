from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnx.cells.elman import Elman
from rnnx.cells.tree_rnn import TreeRNN
from rnnx.core.state import State
from rnnx.core.unrolling.steps import Start, step_by_step


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float).unsqueeze(1)


def digits(z: Tensor, state: State) -> tuple[Tensor, State]:
    """Reads the next digit of each row's number; counts the steps; gives the number doubled."""
    number, steps = state
    number = 10 * number + z
    return 2 * number, (number, steps + 1)


def test_rows_that_end_at_several_steps_by_hand() -> None:
    z = column(1, 2, 3, 4, 5, 6, 7, 8)  # of the rows 1 4 7 8, 2 5, 3 6 by columns: 1 2 3 | 4 5 6 | 7 | 8
    state = column(0, 9, 0), column(0, 0, 5)
    y, (number, steps) = step_by_step(digits, z, [3, 3, 1, 1], state)
    assert y.flatten().tolist() == [2, 184, 6, 28, 1850, 72, 294, 2956]
    assert number.flatten().tolist() == [1478, 925, 36]
    assert steps.flatten().tolist() == [4, 2, 7]


@pytest.mark.parametrize("sizes", [[1, 1, 1], (1, 1, 1)])
def test_one_row(sizes: list[int] | tuple[int, ...]) -> None:
    y, (number, steps) = step_by_step(digits, column(1, 2, 3), sizes, (column(0), column(0)))
    assert y.flatten().tolist() == [2, 24, 246]
    assert (number.item(), steps.item()) == (123, 3)


def test_one_step() -> None:
    y, (number, _) = step_by_step(digits, column(1, 2), [2], (column(0), column(3))[:1] * 2)
    assert y.flatten().tolist() == [2, 4]
    assert number.flatten().tolist() == [1, 2]


def test_a_row_that_reads_nothing_keeps_its_state() -> None:
    y, (number, steps) = step_by_step(digits, column(5), [1], (column(1, 7), column(0, 4)))
    assert y.flatten().tolist() == [30]
    assert number.flatten().tolist() == [15, 7]
    assert steps.flatten().tolist() == [1, 4]


def test_without_a_state_each_row_is_by_itself() -> None:
    y, last = step_by_step(lambda z, state: (z + 1, state), column(1, 2, 3), [2, 1], ())
    assert y.flatten().tolist() == [2, 3, 4]
    assert last == ()


def test_each_step_is_given_its_own_rows_and_no_others() -> None:
    seen: list[tuple[list[float], list[float]]] = []

    def step(z: Tensor, state: State) -> tuple[Tensor, State]:
        seen.append((z.flatten().tolist(), state[0].flatten().tolist()))
        return z, (state[0] + z,)

    step_by_step(step, column(1, 2, 3, 4, 5), [2, 2, 1], (column(10, 20),))
    assert seen == [([1, 2], [10, 20]), ([3, 4], [11, 22]), ([5], [14])]


def test_gradients_stop_where_a_row_ends() -> None:
    z = column(1, 2, 3).requires_grad_()
    start = column(1, 1).requires_grad_()

    def step(z: Tensor, state: State) -> tuple[Tensor, State]:
        return z * state[0], (z * state[0],)

    _, (last,) = step_by_step(step, z, [2, 1], (start,))
    to_z, to_start = torch.autograd.grad((last * column(1, 10)).sum(), [z, start])
    assert to_z.flatten().tolist() == [3, 10, 1]  # of 1 * 3 at the first row and 10 * 2 at the second
    assert to_start.flatten().tolist() == [3, 20]


def test_sizes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(RuntimeError, match="split"):
        step_by_step(digits, column(1, 2, 3), [2], (column(0, 0), column(0, 0)))


def test_what_steps_start_from_is_projected_once() -> None:
    cell, x = Elman(3, hidden_size=4), torch.randn(5, 3)
    z = cell.project(x)
    assert torch.equal(Start.INPUTS.projected(cell, x), z)
    assert Start.PROJECTED.projected(cell, z) is z


@pytest.mark.parametrize("start", [Start.INPUTS, Start.PROJECTED])
def test_a_step_and_several_are_the_cells_own(start: Start) -> None:
    cell, x, state = Elman(3, hidden_size=4), torch.randn(5, 3), (torch.randn(3, 4),)
    z = cell.project(x)
    given = x if start is Start.INPUTS else z
    torch.testing.assert_close(start.stepped(cell, given[:3], state), cell.step(z[:3], state))
    torch.testing.assert_close(
        start.read(cell, given, [3, 2], state), step_by_step(cell.step, z, [3, 2], state)
    )


def test_a_step_of_nodes_is_a_fold_of_children_that_are_all_there() -> None:
    cell, z, children = TreeRNN(3, hidden_size=4), torch.randn(5, 4), (torch.randn(5, 3, 4),)
    wanted = cell.fold(z, children, torch.ones(5, 3, dtype=torch.bool))
    torch.testing.assert_close(Start.NODES.stepped(cell, z, children), wanted)
    torch.testing.assert_close(Start.NODES.read(cell, z, [5], children), wanted)
