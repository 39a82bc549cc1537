from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rnnx.core.unrolling.kernels.c.products import in_panels
from rnnx.core.unrolling.time_loop import Backwards, Forwards, Once

SIZES = [3, 2, 2, 1]
DIGITS = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]])  # rows: 1 4 6 8, 2 5 7, 3
GIVEN = torch.tensor([[0.0], [0.0], [0.0], [9.0]])  # the last row never runs
TEN = torch.tensor(10.0)


def append(row: Tensor, state: Tensor, factor: Tensor, room: Tensor) -> list[Tensor]:
    """Appends the row's digit to the state, and writes down what was there before."""
    room.copy_(state)
    return [factor * state + row]


def test_forth_each_row_goes_from_its_first_step_to_its_last() -> None:
    room = torch.empty(8, 1)
    (last,) = Forwards(append, [])(SIZES, [DIGITS], [GIVEN], [TEN], [room])
    assert last.flatten().tolist() == [1468.0, 257.0, 3.0, 9.0]
    assert room.flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 2.0, 14.0, 25.0, 146.0]


def test_back_each_row_goes_from_its_last_step_to_its_first() -> None:
    room = torch.empty(8, 1)
    (last,) = Backwards(append, [])(SIZES, [DIGITS], [GIVEN], [TEN], [room])
    assert last.flatten().tolist() == [8641.0, 752.0, 3.0, 9.0]
    assert room.flatten().tolist() == [864.0, 75.0, 0.0, 86.0, 7.0, 8.0, 0.0, 0.0]


def test_back_what_the_first_step_is_given_is_not_copied() -> None:
    def step(row: Tensor, state: Tensor) -> list[Tensor]:
        assert state.data_ptr() == GIVEN.data_ptr()
        return [state + row]

    (last,) = Backwards(step, [])([4], [DIGITS[:4]], [GIVEN], [], [])
    assert last.flatten().tolist() == [1.0, 2.0, 3.0, 13.0]


def test_back_none_stands_for_zeros() -> None:
    (last,) = Backwards(lambda row, state: [None], [])(SIZES, [DIGITS], [GIVEN], [], [])
    assert last.flatten().tolist() == [0.0, 0.0, 0.0, 9.0]


def test_once_is_a_step_of_any_width() -> None:
    room = torch.empty(2, 2)
    (made,) = Once(append, [])([2], [DIGITS[:2]], [torch.tensor([[3.0, 4.0], [5.0, 6.0]])], [TEN], [room])
    assert made.tolist() == [[31.0, 41.0], [52.0, 62.0]]
    assert room.tolist() == [[3.0, 4.0], [5.0, 6.0]]


def test_without_a_state_all_is_filled() -> None:
    for way in (Forwards, Backwards):
        room = torch.empty(8, 1)
        assert way(lambda row, room: [room.copy_(2 * row)][:0], [])(SIZES, [DIGITS], [], [], [room]) == []
        assert torch.equal(room, 2 * DIGITS)


@pytest.mark.parametrize("way", [Forwards, Backwards])
def test_matrices_are_given_once_more_in_panels(way: type[Forwards | Backwards]) -> None:
    one, two = torch.randn(2, 3), torch.randn(3, 40)
    *constants, panels = way(append, [1]).prepared([one, two])
    assert [constants[0] is one, constants[1] is two] == [True, True]
    assert torch.equal(panels, in_panels(two))
