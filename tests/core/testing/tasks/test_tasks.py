"""All checks on the tasks that are right."""

from __future__ import annotations

from typing import Any

import pytest

from rnnx.core.testing import check_task, checks
from rnnx.core.testing.kit import name_of


@pytest.mark.parametrize(("task", "data"), [("first", "sequences"), ("following", "texts")])
def test_a_task_that_is_right_has_no_problem(task: str, data: str, request: pytest.FixtureRequest) -> None:
    task_class, data_class = (request.getfixturevalue(name) for name in (task, data))
    found = check_task(task_class, data_class())
    assert [name for name, _ in found] == [name_of(check) for check in checks("task")]
    assert [problem for _, problem in found if problem] == []


def test_a_task_that_is_wrong_has_its_problem_in_one_sentence(first: Any, sequences: Any, but: Any) -> None:
    def forward(self: Any, batch: Any) -> Any:
        output = first.forward(self, batch)
        return output - output.mean(0)

    found = dict(check_task(but(first, forward=forward), sequences()))
    problem = found["the loss of a batch is that of its rows"]
    assert problem is not None
    assert problem.startswith("the total of the loss is not the sum of its rows', each read alone: ")
    assert "\n" not in problem
    assert found["meta is plain"] is None
