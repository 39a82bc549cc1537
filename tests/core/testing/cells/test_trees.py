from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells.trees import check_a_chain_is_a_sequence, check_absent_children_change_nothing

But = Callable[..., type[Cell]]


def folded(children_to_state: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """A fold that steps from what is made of each tensor of the children and the mask ``(N, K, 1)``."""

    def fold(self: Any, z: Tensor, children: State, mask: Tensor) -> Any:
        present = mask.unsqueeze(-1).double()
        return self.step(z, tuple(children_to_state(child, present) for child in children))

    return fold


@pytest.mark.parametrize("check", [check_a_chain_is_a_sequence, check_absent_children_change_nothing])
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell], but: But) -> None:
    check(right)
    check(unrolled)
    check(but(right, fold=folded(lambda child, mask: (child * mask).sum(1))))


def test_a_node_that_is_no_step(right: type[Cell], but: But) -> None:
    wrong = but(right, fold=folded(lambda child, mask: 0.5 * (child * mask).sum(1)))
    message = "^output at step 2 changes when the sequence is read as a tree, a chain of nodes: "
    with pytest.raises(AssertionError, match=message):
        check_a_chain_is_a_sequence(wrong)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda child, mask: child.sum(1),
            "the output of fold changes with what stands where there is no child: ",
        ),
        (
            lambda child, mask: (child * mask).mean(1),
            "the output of fold changes with empty places: ",
        ),
        (
            lambda child, mask: (child + (child * mask - child).detach()).sum(1),
            "the gradient of fold reaches a place where there is no child$",
        ),
    ],
)
def test_absent_children_that_count(right: type[Cell], but: But, made: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_absent_children_change_nothing(but(right, fold=folded(made)))
