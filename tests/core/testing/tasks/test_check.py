from __future__ import annotations

from typing import Any

import pytest
import torch

from rnnx.core.errors import UsageError
from rnnx.core.registry import find
from rnnx.core.testing.tasks.check import (
    numbers,
    of_each_setting,
    of_the_class,
    of_the_data,
    of_the_defaults,
)
from rnnx.core.testing.tasks.subject import Subject

MAKERS = [of_the_class, of_the_data, of_the_defaults, of_each_setting]


def test_each_looks_at_its_own(first: Any, sequences: Any) -> None:
    seen: list[Any] = []
    data = sequences()
    of_the_class(seen.append)(first, data)
    of_the_data(seen.append)(first, data)
    assert seen == [first, data]

    seen.clear()
    of_the_defaults(lambda subject: seen.append(subject.setting))(first, data)
    of_each_setting(lambda subject: seen.append(subject.setting))(first, data)
    assert seen == ["", "", "task.pool=largest", "task.doubled=true"]


def test_the_setting_that_is_wrong_is_named(first: Any, sequences: Any) -> None:
    def check_it(subject: Subject) -> None:
        if subject.options["doubled"]:
            raise UsageError("it is wrong")

    with pytest.raises(AssertionError, match=r"^with task.doubled=true: it is wrong$"):
        of_each_setting(check_it)(first, sequences())


@pytest.mark.parametrize("maker", MAKERS)
def test_a_check_keeps_its_name_and_its_docstring(maker: Any) -> None:
    def check_it(thing: Any) -> None:
        """A fact."""

    assert (maker(check_it).__name__, maker(check_it).__doc__) == ("check_it", "A fact.")


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_no_task_and_what_is_no_data_is_told_so(maker: Any, first: Any, sequences: Any) -> None:
    check = maker(lambda thing: None)
    with pytest.raises(AssertionError, match=r"is no subclass of rnnx.core.task.Task$"):
        check(torch.nn.Linear, sequences())
    with pytest.raises(AssertionError, match=r"^3 is no rnnx.core.data.Data$"):
        check(first, 3)


@pytest.mark.parametrize("maker", MAKERS)
def test_the_data_is_read_first(maker: Any, first: Any, sequences: Any) -> None:
    def prepare(self: Any) -> None:
        raise UsageError("no such file")

    with pytest.raises(AssertionError, match=r"^no such file$"):
        maker(lambda thing: None)(first, type("Lost", (sequences,), {"prepare": prepare})())


def test_numbers_have_64_bits_and_the_small_cell_is_there_for_as_long(first: Any, sequences: Any) -> None:
    seen = []

    def check_it(thing: Any) -> None:
        seen.append((torch.get_default_dtype(), find("cell", "probe").name))
        raise ValueError("it is wrong")

    for maker in MAKERS:
        with pytest.raises(AssertionError, match="it is wrong"):
            maker(check_it)(first, sequences())
    assert seen == [(torch.double, "probe")] * 4
    assert torch.get_default_dtype() == torch.float
    with pytest.raises(UsageError):
        find("cell", "probe")


def test_new_tensors_of_a_type() -> None:
    with numbers(torch.double):
        assert torch.zeros(1).dtype == torch.double
    with pytest.raises(KeyError), numbers(torch.double):
        raise KeyError
    assert torch.zeros(1).dtype == torch.float
