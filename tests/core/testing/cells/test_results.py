from __future__ import annotations

import pytest
import torch

from rnnx.core.testing.cells.results import assert_same_result, assert_same_state

ZERO = torch.zeros(2, 3, 2)


def result(y: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    return y, state


def changed(n: int, t: int, value: float) -> torch.Tensor:
    y = ZERO.clone()
    y[n, t, 1] = value
    return y


def test_the_first_step_that_differs_is_named_whatever_its_row() -> None:
    y = changed(0, 2, 5.0) + changed(1, 1, -0.25)
    with pytest.raises(AssertionError, match=r"^output at step 2 changes: 0 became -0\.25$"):
        assert_same_result(result(y), result(ZERO), "changes")
    with pytest.raises(AssertionError, match=r"^output at node 2 changes: -0\.25 became 0$"):
        assert_same_result(result(ZERO), result(y), "changes", place="node")


def test_the_state_is_looked_at_after_the_output() -> None:
    one, other = torch.ones(2, 1), torch.tensor([[1.0], [2.0]])
    assert_same_result(result(ZERO, one), result(ZERO, one), "changes")
    with pytest.raises(AssertionError, match=r"^state tensor 2 changes: 1 became 2$"):
        assert_same_result(result(ZERO, one, other), result(ZERO, one, one), "changes")
    with pytest.raises(AssertionError, match=r"^the state has 1 tensors, expected 2$"):
        assert_same_state((one,), (one, one), "changes")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_a_number_agrees_with_nothing(value: float) -> None:
    y = changed(0, 0, value)
    with pytest.raises(AssertionError, match=f"^output at step 1 changes: 0 became {value}$"):
        assert_same_result(result(y), result(ZERO), "changes")


def test_the_tolerance_is_a_part_of_the_largest_number_of_all_steps() -> None:
    large = changed(1, 2, 1000.0)
    assert_same_result(result(large + 9), result(large), "changes", tolerance=0.01)
    with pytest.raises(AssertionError, match=r"^output at step 1 changes: 0 became 11$"):
        assert_same_result(result(large + 11), result(large), "changes", tolerance=0.01)


def test_an_output_of_another_shape() -> None:
    with pytest.raises(AssertionError, match=r"^the output has the shape \(2, 3, 1\), expected \(2, 3, 2\)$"):
        assert_same_result(result(ZERO[..., :1]), result(ZERO), "changes")
