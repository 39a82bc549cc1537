from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rnnx.core.unrolling.packing import Packing


def numbered(rows: int, steps: int, width: int = 2) -> Tensor:
    """No number twice, and none 0."""
    return torch.arange(1.0, rows * steps * width + 1).reshape(rows, steps, width)


def test_rows_of_several_lengths_by_hand() -> None:
    x = torch.tensor([[11, 12, 0, 0], [21, 22, 23, 0], [0, 0, 0, 0], [41, 42, 43, 0]]).unsqueeze(-1).float()
    packing = Packing.of(x, torch.tensor([2, 3, 0, 3]))
    assert (packing.rows, packing.steps) == (4, 4)
    assert packing.sizes == [3, 3, 2]
    packed = packing.pack(x)
    assert packed.tolist() == [[21], [41], [11], [22], [42], [12], [23], [43]]
    assert torch.equal(packing.unpack(packed), x)


def test_all_of_full_length_need_no_order() -> None:
    x = numbered(2, 3)
    packing = Packing.of(x, None)
    assert packing.sizes == [2, 2, 2]
    assert packing.order is None
    assert packing.places is None
    packed = packing.pack(x)
    assert packed[:, 0].tolist() == [1, 7, 3, 9, 5, 11]
    assert torch.equal(packing.unpack(packed), x)
    state = (torch.tensor([[1.0], [2.0]]),)
    assert packing.sort(state) is state
    assert packing.restore(state) is state


@st.composite
def arranged(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A number of steps, and rows of up to so many."""
    steps = draw(st.integers(0, 6))
    return steps, draw(st.lists(st.integers(0, steps), max_size=6))


@given(arranged())
def test_a_step_is_what_its_running_rows_read_longest_first(given: tuple[int, list[int]]) -> None:
    steps, lengths = given
    x = numbered(len(lengths), steps)
    packing = Packing.of(x, torch.tensor(lengths, dtype=torch.long))
    rows = sorted(range(len(lengths)), key=lambda n: -lengths[n])  # Python's sort is stable
    read = [[x[n, t].tolist() for n in rows if lengths[n] > t] for t in range(steps)]
    assert packing.sizes == [len(step) for step in read if step]
    assert packing.pack(x).tolist() == [row for step in read for row in step]


@given(arranged())
def test_unpacking_undoes_packing_and_leaves_zeros(given: tuple[int, list[int]]) -> None:
    steps, lengths = given
    x = numbered(len(lengths), steps)
    packing = Packing.of(x, torch.tensor(lengths, dtype=torch.long))
    real = torch.arange(steps) < torch.tensor(lengths, dtype=torch.long).unsqueeze(1)  # (N, T)
    assert torch.equal(packing.unpack(packing.pack(x)), x * real.unsqueeze(-1))


@given(arranged())
def test_restoring_undoes_sorting(given: tuple[int, list[int]]) -> None:
    steps, lengths = given
    x = numbered(len(lengths), steps)
    packing = Packing.of(x, torch.tensor(lengths, dtype=torch.long))
    ends = torch.tensor(lengths, dtype=torch.double).unsqueeze(1)
    numbers = torch.arange(len(lengths), dtype=torch.double).unsqueeze(1).expand(-1, 3)
    by_length, by_number = packing.sort((ends, numbers))
    assert by_length.flatten().tolist() == sorted(lengths, reverse=True)
    rows = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    assert by_number[:, 0].tolist() == rows
    back = packing.restore((by_length, by_number))
    assert torch.equal(back[0], ends)
    assert torch.equal(back[1], numbers)


def test_what_the_padding_holds_is_never_read() -> None:
    x = torch.tensor([[1.0, torch.nan], [2.0, 3.0]]).unsqueeze(-1)
    packing = Packing.of(x, torch.tensor([1, 2]))
    assert packing.unpack(packing.pack(x))[..., 0].tolist() == [[1, 0], [2, 3]]


def test_lengths_that_are_all_full_are_as_good_as_none() -> None:
    x = numbered(3, 2)
    assert torch.equal(Packing.of(x, torch.tensor([2, 2, 2])).pack(x), Packing.of(x, None).pack(x))


@pytest.mark.parametrize(("rows", "steps"), [(0, 0), (0, 3), (2, 0)])
@pytest.mark.parametrize("with_lengths", [False, True])
def test_nothing_to_read_has_no_sizes(rows: int, steps: int, with_lengths: bool) -> None:
    lengths = torch.zeros(rows, dtype=torch.long) if with_lengths else None
    assert list(Packing.of(torch.ones(rows, steps, 1), lengths).sizes) == []


def test_each_real_number_gets_its_gradient_and_padding_none() -> None:
    x = numbered(3, 3, 1).requires_grad_()
    packing = Packing.of(x, torch.tensor([1, 3, 2]))
    weights = torch.arange(1.0, 10.0).reshape(3, 3, 1)
    (gradient,) = torch.autograd.grad((packing.unpack(packing.pack(x)) * weights).sum(), [x])
    assert gradient[..., 0].tolist() == [[1, 0, 0], [4, 5, 6], [7, 8, 0]]


def test_types_stay_as_they_are() -> None:
    x = torch.ones(2, 2, 1, dtype=torch.bfloat16)
    packing = Packing.of(x, torch.tensor([1, 2], dtype=torch.int32))
    assert packing.unpack(packing.pack(x)).dtype == torch.bfloat16
