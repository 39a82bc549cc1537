from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnx.core.cell import Cell
from rnnx.core.errors import RunError
from rnnx.core.state import State
from rnnx.core.testing import check_cell
from rnnx.core.testing.cells.subject import Subject, subjects

But = Callable[..., type[Cell]]


def test_the_defaults_come_first_and_then_each_value_that_can_be_counted_alone(right: type[Cell]) -> None:
    found = [(subject.setting, dict(subject.options)) for subject in subjects(right)]
    default = {"hidden_size": 24, "gated": False, "activation": "tanh"}
    assert found == [
        ("", default),
        ("cell.gated=true", default | {"gated": True}),
        ("cell.activation=sigmoid", default | {"activation": "sigmoid"}),
    ]


def test_a_cell_that_cannot_be_24_wide_has_its_own_width(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int, *, hidden_size: int = 7) -> None:
        if hidden_size % 7:
            raise ValueError("hidden_size must be a multiple of 7")
        right.__init__(self, input_size, hidden_size=hidden_size)

    (subject,) = subjects(but(right, __init__=construct))
    assert subject.options == {"hidden_size": 7}
    assert subject.cell.state_sizes == (7, 7)


def test_options_that_are_none_are_refused(right: type[Cell], but: But) -> None:
    def needy(self: Any, input_size: int, *, depth: int) -> None: ...
    def anything(self: Any, input_size: int, **options: Any) -> None: ...

    with pytest.raises(AssertionError, match=r"^cell.depth: option of cell 'Wrong' is required$"):
        list(subjects(but(right, __init__=needy)))
    with pytest.raises(RunError, match=r"takes \*\*options"):
        list(subjects(but(right, __init__=anything)))


def test_data_are_the_same_each_time_and_another_row_is_another_state(right: type[Cell]) -> None:
    one, other = Subject(right, {}), Subject(right, {})
    assert one.x is not one.x
    assert torch.equal(one.x, other.x)
    assert one.x.dtype == torch.double
    for tensor, same in zip(one.state, other.state, strict=True):
        assert torch.equal(tensor, same)
        assert not tensor.requires_grad
        assert len({tuple(row) for row in tensor.tolist()}) == 4
        assert tensor.all()


def test_another_seed_makes_other_weights_and_none_stays_zero(right: type[Cell], but: But) -> None:
    def construct(self: Any, input_size: int) -> None:
        right.__init__(self, input_size)
        torch.nn.init.zeros_(self.past.bias)

    subject = Subject(but(right, __init__=construct), {})
    same, other = subject.build(seed=0), subject.build(seed=1)
    for one, again, another in zip(
        subject.cell.parameters(), same.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(one, again)
        assert not torch.equal(one, another)
        assert one.all()


def test_a_cell_that_draws_in_training_is_looked_at_in_evaluation(right: type[Cell], but: But) -> None:
    def step(self: Any, z: Tensor, state: State) -> Any:
        return right.step(self, z + torch.randn_like(z) if self.training else z, state)

    def forgets(self: Any, z: Tensor, state: State) -> Any:
        return right.step(self, z, (torch.dropout(state[0], 0.05, self.training), state[1]))

    assert Subject(but(right, step=forgets), {}).draws  # which at the first step has nothing to drop
    noisy, plain = (Subject(cell, {}) for cell in (but(right, step=step), right))
    assert (noisy.draws, plain.draws) == (True, False)
    assert (noisy.cell.training, plain.cell.training) == (False, True)
    assert all(map(torch.equal, noisy.cell.parameters(), plain.cell.parameters()))
    problems = {fact: problem for fact, problem in check_cell(but(right, step=step)) if problem}
    assert problems == {fact: problem for fact, problem in check_cell(but(right)) if problem}
