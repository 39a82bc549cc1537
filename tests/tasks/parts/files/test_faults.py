from __future__ import annotations

import logging

import pytest

from rnnx.core.errors import InputError
from rnnx.tasks.parts.files.faults import Faults


def read(faults: Faults, numbers: list[int]) -> list[int]:
    """The numbers that are even."""
    read = []
    for line, number in enumerate(numbers, 1):
        with faults:
            if number % 2:
                raise InputError("f.txt", f"expected an even number, got {number}", line)
            read.append(number)
    return read


def test_a_fault_stops(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match=r"f\.txt:2: expected an even number, got 3"):
        read(Faults("f.txt", skip=False), [2, 3, 4])
    faults = Faults("f.txt", skip=False)
    assert read(faults, [2, 4]) == [2, 4]
    faults.report(2, "numbers")
    assert not caplog.messages


def test_faults_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults("f.txt", skip=True)
    assert read(faults, [2, 3, 4, 5, 6]) == [2, 4, 6]
    with caplog.at_level(logging.WARNING):
        faults.report(5, "numbers")
    assert caplog.messages == [
        "'f.txt': left out 2 of 5 numbers; the first: f.txt:2: expected an even number, got 3"
    ]


def test_nothing_is_said_where_nothing_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults("f.txt", skip=True)
    read(faults, [2])
    faults.report(1, "numbers")
    assert not caplog.messages


def test_if_all_is_wrong_it_stops() -> None:
    faults = Faults("f.txt", skip=True)
    assert read(faults, [1, 3]) == []
    with pytest.raises(InputError) as caught:
        faults.report(2, "numbers")
    assert str(caught.value) == (
        "f.txt: none of 2 numbers can be used; the first: f.txt:1: expected an even number, got 1"
    )


def test_other_errors_go_on() -> None:
    with pytest.raises(ZeroDivisionError), Faults("f.txt", skip=True):
        _ = 1 / 0
