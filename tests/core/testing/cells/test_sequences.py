from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.state import State
from rnnx.core.testing.cells import sequences
from rnnx.core.testing.cells.sequences import (
    check_a_sequence_is_its_steps_one_by_one,
    check_chunks_with_the_state_carried_are_the_whole,
    check_reading_twice_gives_the_same,
    check_reversal_is_the_flipped_sequence,
    check_the_engines_way_is_the_loop_of_steps,
    check_unroll_is_the_loop_of_steps,
)
from rnnx.core.unrolling.steps import step_by_step

But = Callable[..., type[Cell]]
CHECKS = [
    check_a_sequence_is_its_steps_one_by_one,
    check_chunks_with_the_state_carried_are_the_whole,
    check_reading_twice_gives_the_same,
    check_reversal_is_the_flipped_sequence,
    check_the_engines_way_is_the_loop_of_steps,
    check_unroll_is_the_loop_of_steps,
]


@pytest.mark.parametrize("check", CHECKS)
def test_right_cells_pass(check: Any, right: type[Cell], unrolled: type[Cell]) -> None:
    check(right)
    check(unrolled)


def test_a_projection_that_looks_at_other_steps(right: type[Cell], but: But) -> None:
    wrong = but(right, project=lambda self, x: self.input(x.cumsum(0) if len(x) > 4 else x))
    message = r"^output at step \d changes when all steps are projected together: \S+ became \S+$"
    with pytest.raises(AssertionError, match=message):
        check_a_sequence_is_its_steps_one_by_one(wrong)


def test_a_projection_that_looks_along_the_second_dimension(right: type[Cell], but: But) -> None:
    """Of rows that is the features: alike however rows are read, and not what is meant of a sequence."""
    wrong = but(right, project=lambda self, x: self.input(x - x.mean(1, keepdim=True)))
    message = r"^what project gives of a sequence \(N, T, I\) is not that of its steps as rows"
    with pytest.raises(AssertionError, match=message):
        check_a_sequence_is_its_steps_one_by_one(wrong)


@pytest.mark.parametrize("hidden", ["counter", "noise"])
def test_a_cell_that_remembers_or_draws(right: type[Cell], but: But, hidden: str) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        extra = self.calls if hidden == "counter" else torch.rand(1).item()
        y, state = right.step(self, z, state)
        return y + 0.01 * extra, state

    message = "^output at step 1 changes when the same sequence is read again: "
    with pytest.raises(AssertionError, match=message):
        check_reading_twice_gives_the_same(but(right, step=step))


def unroll(change: Callable[..., Any]) -> Callable[[type[Cell]], Any]:
    return lambda base: (
        lambda self, x, lengths, state: change(
            lambda x, lengths, state: base.unroll(self, x, lengths, state), x, lengths, state
        )
    )


STATE_AT_THE_END = unroll(
    lambda read, x, lengths, state: (read(x, lengths, state)[0], read(x, None, state)[1])
)
PADDING_IS_READ = unroll(
    lambda read, x, lengths, state: (read(x, None, state)[0], read(x, lengths, state)[1])
)
FROM_ZERO = unroll(lambda read, x, lengths, state: read(x, lengths, tuple(0 * tensor for tensor in state)))
NO_GRADIENT = unroll(
    lambda read, x, lengths, state: read(x, lengths, tuple(tensor.detach() for tensor in state))
)
WRONG_WITHOUT_GRADIENTS = unroll(
    lambda read, x, lengths, state: read(x if torch.is_grad_enabled() else 2 * x, lengths, state)
)
WRONG_IF_EQUAL = unroll(lambda read, x, lengths, state: read(2 * x if lengths is None else x, lengths, state))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (STATE_AT_THE_END, "state tensor 1 changes when unrolled at different lengths: "),
        (PADDING_IS_READ, r"output at step 2 changes when unrolled at different lengths: 0 became "),
        (FROM_ZERO, "output at step 1 changes when unrolled at equal lengths: "),
        (NO_GRADIENT, r"the gradient of state tensor 1 changes when unrolled at equal lengths: .* became 0$"),
        (WRONG_WITHOUT_GRADIENTS, "output at step 1 changes when unrolled at equal lengths: "),
        (WRONG_IF_EQUAL, "output at step 1 changes when unrolled at equal lengths: "),
    ],
)
def test_a_faster_way_to_another_result(unrolled: type[Cell], but: But, wrong: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_unroll_is_the_loop_of_steps(but(unrolled, unroll=wrong(unrolled)))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (0, "output at step 1 changes when its step is taken apart at equal lengths: "),
        (1, "state tensor 1 changes when its step is taken apart at equal lengths: "),
    ],
)
def test_an_engine_that_reads_something_else(
    right: type[Cell], monkeypatch: pytest.MonkeyPatch, place: int, message: str
) -> None:
    def wrong(plan: Any, cell: Cell, *given: Any) -> Any:
        y, last = step_by_step(cell.step, *given)
        return (y + 1, last) if place == 0 else (y, tuple(tensor + 1 for tensor in last))

    monkeypatch.setattr(sequences, "unrolled", wrong)
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_the_engines_way_is_the_loop_of_steps(right)


def test_an_engine_that_forgets_a_gradient(right: type[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(plan: Any, cell: Cell, z: Tensor, sizes: Any, state: State) -> Any:
        return step_by_step(cell.step, z.detach(), sizes, state)

    monkeypatch.setattr(sequences, "unrolled", wrong)
    with pytest.raises(AssertionError, match=r"^the gradient of the input changes when its step is taken"):
        check_the_engines_way_is_the_loop_of_steps(right)


def test_a_state_that_is_not_taken_up(unrolled: type[Cell], but: But) -> None:
    """Five steps are read rightly, fewer as if from a state of zeros."""
    wrong = unroll(
        lambda read, x, lengths, state: read(
            x, lengths, state if x.shape[1] == 5 else tuple(0 * tensor for tensor in state)
        )
    )
    message = "^output at step 1 changes when the sequence is cut after step 1: "
    with pytest.raises(AssertionError, match=message):
        check_chunks_with_the_state_carried_are_the_whole(but(unrolled, unroll=wrong(unrolled)))


def test_a_reversal_that_begins_in_the_padding(unrolled: type[Cell], but: But) -> None:
    wrong = but(unrolled, unroll=unroll(lambda read, x, lengths, state: read(x, None, state))(unrolled))
    message = "^output at step 2 read backwards is not that of the flipped sequence: 0 became "
    with pytest.raises(AssertionError, match=message):
        check_reversal_is_the_flipped_sequence(wrong)


def test_the_setting_that_is_wrong_is_named(right: type[Cell], but: But) -> None:
    def project(self: Any, x: Tensor) -> Tensor:
        return self.input(x.cumsum(0) if len(x) > 4 and self.activation == "sigmoid" else x)

    with pytest.raises(AssertionError, match=r"^with cell.activation=sigmoid: output at step \d changes "):
        check_a_sequence_is_its_steps_one_by_one(but(right, project=project))
