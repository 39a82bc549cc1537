from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from rnnx.core.data import Data
from rnnx.core.errors import RunError, UsageError
from rnnx.core.options import options_of
from rnnx.core.task import Task
from rnnx.core.testing.tasks.probe import Probe, installed
from rnnx.core.testing.tasks.subject import Examples, Subject, plain_net, predict_options, subjects

But = Callable[..., type[Task]]


@pytest.fixture(autouse=True)
def probe() -> Any:
    """The small cell can be found, and numbers have 64 bits."""
    torch.set_default_dtype(torch.double)
    with installed():
        yield
    torch.set_default_dtype(torch.float)


def prepared(data_class: type[Data]) -> Data:
    data = data_class()
    data.prepare()
    return data


def test_the_defaults_come_first_and_then_each_setting_that_suits(first: Any, sequences: Any) -> None:
    found = [(subject.setting, dict(subject.options)) for subject in subjects(first, prepared(sequences))]
    default = {"pool": "mean", "doubled": False, "needs_width": False}
    assert found == [  # but task.needs_width, which is refused
        ("", default),
        ("task.pool=largest", default | {"pool": "largest"}),
        ("task.doubled=true", default | {"doubled": True}),
    ]


def test_defaults_that_are_refused_are_no_task(first: Any, sequences: Any, but: But) -> None:
    def construct(self: Any, net: Any, meta: Any) -> None:
        raise UsageError("never")

    with pytest.raises(UsageError, match=r"^never$"):
        list(subjects(but(first, __init__=construct), prepared(sequences)))


def test_a_setting_that_breaks_is_no_setting_that_does_not_suit(first: Any, sequences: Any, but: But) -> None:
    def construct(self: Any, net: Any, meta: Any, *, broken: bool = False) -> None:
        first.__init__(self, net, meta)
        if broken:
            raise ValueError("not yet")

    with pytest.raises(ValueError, match=r"^not yet$"):
        list(subjects(but(first, __init__=construct), prepared(sequences)))


def test_weights_are_always_the_same_and_none_is_zero(first: Any, sequences: Any) -> None:
    subject = Subject(first, Examples(prepared(sequences)), {})
    one, same, plain = subject.build(), subject.build(), subject.build(noise=0.0)
    assert not one.training
    for a, b, c in zip(one.parameters(), same.parameters(), plain.parameters(), strict=True):
        assert a.dtype == torch.double
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert a.all()
    assert {type(cell) for cell in one.modules() if isinstance(cell, Probe)} == {Probe}


def test_the_net_is_as_asked_for_and_plain(first: Any, sequences: Any) -> None:
    task = Subject(first, Examples(prepared(sequences)), {}).build(layers=3, zoneout=[0.5, 0.25])
    assert (task.net.layers, list(task.net.zoneout)) == (3, [0.5, 0.25])
    assert task.hparams["net"] == plain_net(layers=3, zoneout=[0.5, 0.25])
    assert plain_net().keys() == {"cell", *options_of("rnnx.core.net:Net")}


def test_examples_are_some_rows_of_the_first_batches_always_the_same(sequences: Any) -> None:
    data = prepared(sequences)
    examples, others = Examples(data), Examples(data)
    one = examples.batches("valid")
    assert [batch.index.tolist() for batch in one] == [[0, 1, 2, 3, 4, 5], [7, 8]]
    assert examples.batches("valid") is one
    assert [batch.index.tolist() for batch in others.batches("valid")] == [[0, 1, 2, 3, 4, 5], [7, 8]]


def test_rows_are_taken_from_the_first_to_the_last(sequences: Any) -> None:
    data = prepared(sequences)
    data.batch_size = 9  # type: ignore[attr-defined]
    data.order = lambda split: list(range(9))  # type: ignore[attr-defined]
    (batch,) = Examples(data).batches("test")
    assert batch.index.tolist() == [0, 1, 2, 3, 4, 5]
    data.batch_size = 16  # type: ignore[attr-defined]
    data.order = lambda split: list(range(16))  # type: ignore[attr-defined]
    (batch,) = Examples(data).batches("train")
    assert batch.index.tolist() == [0, 2, 4, 6, 8, 10]


def test_the_meta_is_what_comes_back_from_json(sequences: Any) -> None:
    class Odd(sequences):  # type: ignore[misc]
        @property
        def meta(self) -> Any:
            return {"sizes": (1, 2)}

    assert Examples(Odd()).meta == {"sizes": [1, 2]}


def test_the_options_of_predict(first: Any) -> None:
    (option,) = predict_options(first).values()
    assert (option.name, option.type, option.default, option.doc) == (
        *("loud", bool, False, "Whether the answer is marked."),
    )


def test_options_that_are_none_are_refused(first: Any, sequences: Any, but: But) -> None:
    def needy(self: Any, net: Any, meta: Any, *, depth: int) -> None: ...
    def anything(self: Any, net: Any, meta: Any, **options: Any) -> None: ...

    with pytest.raises(AssertionError, match=r"^task.depth: option of task 'Wrong' is required$"):
        list(subjects(but(first, __init__=needy), prepared(sequences)))
    with pytest.raises(RunError, match=r"takes \*\*options"):
        list(subjects(but(first, __init__=anything), prepared(sequences)))
