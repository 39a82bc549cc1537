from __future__ import annotations

import pytest

from rnnx.core.errors import UsageError
from rnnx.tasks.parts.idle import refuse_idle


def test_options_of_use_and_those_not_given_are_let_through() -> None:
    refuse_idle("score", ["a"], a=0, b=None)


def test_all_that_are_of_no_use_are_named_a_false_one_too() -> None:
    with pytest.raises(UsageError) as refused:
        refuse_idle("score", ["a"], a=1, b=0, c=None, d=False)
    assert refused.value.problems == (
        "b: of no use with mode=score; leave it out",
        "d: of no use with mode=score; leave it out",
    )
