from __future__ import annotations

from typing import Any

import pytest

from rnnx.core.batch import Batch
from rnnx.core.errors import UsageError
from rnnx.core.options import options_of
from rnnx.core.task import Loss
from rnnx.core.testing.tasks.check import of_the_defaults
from rnnx.core.testing.tasks.nets import NETS, check_any_net_is_trained_or_refused_by_name
from rnnx.core.testing.tasks.subject import Subject


def test_right_tasks_pass(first: Any, sequences: Any, following: Any, texts: Any) -> None:
    check_any_net_is_trained_or_refused_by_name(first, sequences())
    check_any_net_is_trained_or_refused_by_name(following, texts())


def test_each_net_is_another_and_none_is_refused_by_the_net_itself(first: Any, sequences: Any) -> None:
    options = options_of("rnnx.core.net:Net")
    assert all(options[name].default != value for name, value in NETS.items())
    unchecked = {
        "dropout",
        "input_init",
        "recurrent_init",
        "init_range",
        "recompute",
        "match",
    }  # no other equations
    assert options.keys() == NETS.keys() | unchecked
    of_the_defaults(lambda subject: [subject.build(**{name: NETS[name]}) for name in NETS])(
        first, sequences()
    )


def builds(base: Any, change: Any) -> Any:
    """A constructor that looks at its net."""

    def construct(self: Any, net: Any, meta: Any) -> None:
        base.__init__(self, net, meta)
        change(self)

    return construct


def refuses(self: Any) -> None:
    if self.net.bidirectional:
        raise UsageError("this net does not suit the task")


def fails(self: Any) -> None:
    if self.net.layers > 1:
        raise ValueError("only one layer")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (refuses, "with net.bidirectional=true: refused without naming net.bidirectional: this net does not"),
        (
            fails,
            r"with net.layers=2: ValueError at test_nets.py:\d+: only one layer|with net.layers=2: ValueErr",
        ),
    ],
)
def test_nets_that_are_refused_in_other_words(
    first: Any, sequences: Any, but: Any, change: Any, message: str
) -> None:
    with pytest.raises(AssertionError, match=f"^{message}"):
        check_any_net_is_trained_or_refused_by_name(but(first, __init__=builds(first, change)), sequences())


def test_a_net_that_is_trained_to_nothing(first: Any, sequences: Any, but: Any) -> None:
    def loss(self: Any, output: Any, batch: Batch) -> Loss:
        right = first.loss(self, output, batch)
        return Loss(right.total / (0 if self.net.zoneout else 1), right.count)

    with pytest.raises(AssertionError, match=r"^with net.zoneout=0.2: the loss is inf$"):
        check_any_net_is_trained_or_refused_by_name(but(first, loss=loss), sequences())


def test_a_net_that_has_no_gradient(first: Any, sequences: Any, but: Any) -> None:
    def loss(self: Any, output: Any, batch: Batch) -> Loss:
        right = first.loss(self, output, batch)
        return Loss(right.total.detach() if self.net.weight_drop else right.total, right.count)

    with pytest.raises(AssertionError, match=r"^with net.weight_drop=0.2: RuntimeError.* require grad"):
        check_any_net_is_trained_or_refused_by_name(but(first, loss=loss), sequences())


def test_a_net_that_answers_nothing(first: Any, sequences: Any, but: Any) -> None:
    def predict(self: Any, lines: Any) -> Any:
        return () if self.net.transitions > 1 else first.predict(self, lines)

    with pytest.raises(
        AssertionError, match=r"^with net.transitions=2: predict gives nothing for the line '\d"
    ):
        check_any_net_is_trained_or_refused_by_name(but(first, predict=predict), sequences())


def test_what_is_looked_at_is_the_net_that_was_asked_for(first: Any, sequences: Any, but: Any) -> None:
    seen = []
    noted = but(
        first, __init__=builds(first, lambda self: seen.append((self.net.layers, self.net.bidirectional)))
    )
    check_any_net_is_trained_or_refused_by_name(noted, sequences())
    assert {(1, False), (2, False), (1, True)} == set(seen)
    assert Subject.build.__kwdefaults__ is None
