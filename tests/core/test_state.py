from __future__ import annotations

import pytest
import torch

from rnnx.core.state import detach, join, present, select, split, zeros

A = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
B = torch.tensor([[7.0], [8.0], [9.0]])


def test_zeros_are_of_the_dtype_asked_for_and_one_tensor_a_width() -> None:
    state = zeros(3, (2, 1), torch.ones(5, dtype=torch.double))
    torch.testing.assert_close(state, (torch.zeros(3, 2).double(), torch.zeros(3, 1).double()))


def test_zeros_are_on_the_device_asked_for() -> None:
    assert zeros(1, (2,), torch.empty(1, device="meta"))[0].is_meta


@pytest.mark.parametrize(
    ("rows", "first", "second"),
    [
        (torch.tensor([2, 0, 2, 1]), [[5, 6], [1, 2], [5, 6], [3, 4]], [[9], [7], [9], [8]]),
        (torch.tensor([False, True, True]), [[3, 4], [5, 6]], [[8], [9]]),
        (slice(1, None), [[3, 4], [5, 6]], [[8], [9]]),
        (slice(0), [], []),
    ],
    ids=["numbers", "mask", "slice", "nothing"],
)
def test_select_takes_the_rows_of_every_tensor(
    rows: torch.Tensor | slice, first: list[list[int]], second: list[list[int]]
) -> None:
    assert [tensor.tolist() for tensor in select((A, B), rows)] == [first, second]


def test_join_puts_states_below_each_other() -> None:
    joined = join([(A, B), (A[:1] + 10, B[:1] + 10)])
    assert [tensor.tolist() for tensor in joined] == [
        [[1, 2], [3, 4], [5, 6], [11, 12]],
        [[7], [8], [9], [17]],
    ]


def test_join_refuses_states_of_different_forms() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        join([(A, B), (A,)])


def test_children_that_are_not_there_are_zero_in_every_tensor() -> None:
    junk = torch.tensor([[[1.0, 2.0], [torch.nan, torch.inf]], [[3.0, 4.0], [5.0, 6.0]]])
    mask = torch.tensor([[True, False], [False, True]])
    first, second = present((junk, junk[..., :1]), mask)
    assert first.tolist() == [[[1, 2], [0, 0]], [[0, 0], [5, 6]]]
    assert second.tolist() == [[[1], [0]], [[0], [5]]]
    assert present((junk[:, :0],), mask[:, :0])[0].shape == (2, 0, 2)


def test_detach_keeps_the_values_and_cuts_the_graph() -> None:
    weight = torch.ones(1, requires_grad=True)
    cut = detach((A * weight, B * weight))
    torch.testing.assert_close(cut, (A, B))
    assert not any(tensor.requires_grad for tensor in cut)


def test_split_gives_each_part_its_own_tensors() -> None:
    a, b, c, d = (torch.full((1, 1), float(i)) for i in range(4))
    assert split((a, b, c, d), (1, 0, 2, 1)) == [(a,), (), (b, c), (d,)]


@pytest.mark.parametrize("counts", [(1, 1), (2, 2)])
def test_a_state_of_other_parts_is_not_split(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"expected a state of {sum(counts)} tensors, got 3: of each layer"):
        split(zeros(2, (1, 1, 1), torch.ones(1)), counts)
