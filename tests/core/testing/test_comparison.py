from __future__ import annotations

import pytest
import torch

from rnnx.core.testing.comparison import assert_near, assert_same, assert_shape, largest, require

ZERO = torch.zeros(2, 3, 2)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_a_number_agrees_with_nothing(value: float) -> None:
    y = ZERO.clone()
    y[0, 0, 1] = value
    both = f"it changes: {value} became {value}" if value == torch.inf else "nan stands on both sides"
    for wanted, problem in ((ZERO, f"it changes: 0 became {value}"), (y, both)):
        with pytest.raises(AssertionError, match=f"^{problem}"):
            assert_same(y, wanted, "it", "changes")


def test_numbers_that_changed_are_told_before_those_that_are_none() -> None:
    wanted = torch.tensor([torch.nan, 1.0])
    with pytest.raises(AssertionError, match=r"^it changes: 1 became 2$"):
        assert_same(torch.tensor([torch.nan, 2.0]), wanted, "it", "changes")


def test_the_tolerance_is_a_part_of_the_largest_number_and_at_least_of_one() -> None:
    large = ZERO.clone()
    large[1, 2, 0] = -1000
    assert_same(large + 9, large, "it", "changes", tolerance=0.01)
    assert_same(ZERO + 0.009, ZERO, "it", "changes", tolerance=0.01)
    with pytest.raises(AssertionError, match=r"^it changes: 0 became 11$"):
        assert_same(large + 11, large, "it", "changes", tolerance=0.01)
    with pytest.raises(AssertionError, match=r"^it changes: 0 became 0\.011$"):
        assert_same(ZERO + 0.011, ZERO, "it", "changes", tolerance=0.01)


def test_near_is_near_by_so_much() -> None:
    assert_near(ZERO + 2, ZERO, "it", "changes", 2)
    with pytest.raises(AssertionError, match=r"^it changes: 0 became 2$"):
        assert_near(ZERO + 2, ZERO, "it", "changes", 1.9)


def test_the_largest_number_is_finite_and_at_least_one() -> None:
    assert largest(torch.tensor([-3.0, torch.inf, 2.0])) == 3
    assert largest(torch.tensor([0.5])) == 1
    assert largest(torch.tensor([torch.nan])) == 1


def test_shapes_that_would_be_broadcast_are_told_apart() -> None:
    with pytest.raises(AssertionError, match=r"^it has the shape \(2, 1\), expected \(2, 3\)$"):
        assert_same(torch.zeros(2, 1), torch.zeros(2, 3), "it", "changes")
    assert_shape(ZERO, (2, 3, 2), "it")


def test_nothing_is_near_nothing() -> None:
    assert_same(torch.zeros(0, 3), torch.zeros(0, 3), "it", "changes")


def test_a_requirement() -> None:
    require(True, "no")
    with pytest.raises(AssertionError, match=r"^no$"):
        require(False, "no")
