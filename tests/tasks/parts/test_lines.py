from __future__ import annotations

from collections.abc import Iterator

import pytest

from rnnx.core.errors import InputError, UsageError
from rnnx.tasks.parts.lines import each, together


def numbers(last: int) -> Iterator[int]:
    """Numbers up to one, after which there is an error."""
    yield from range(last)
    raise UsageError("no more")


def missing(line: str) -> str:
    raise UsageError(f"{line}: no such file")


def broken(line: str) -> str:
    raise KeyError(line)


def test_a_line_is_read_when_its_turn_comes() -> None:
    lines = iter(["1", "2"])
    assert next(each(lines, int)) == 1
    assert list(lines) == ["2"]


def test_what_is_wrong_with_a_line_is_told_with_its_number() -> None:
    with pytest.raises(InputError, match=r"^the input:1: a: no such file$"):
        next(each("a", missing))


def test_another_error_is_left_as_it_is() -> None:
    with pytest.raises(KeyError):
        next(each("a", broken))


@pytest.mark.parametrize(
    ("last", "groups"), [(0, []), (2, [[0, 1]]), (3, [[0, 1, 2]]), (4, [[0, 1, 2], [3]])]
)
def test_rows_before_an_error_come_before_it(last: int, groups: list[list[int]]) -> None:
    found = together(numbers(last), 3)
    assert [next(found) for _ in groups] == groups
    with pytest.raises(UsageError, match="no more"):
        next(found)


def test_a_group_comes_as_soon_as_it_is_whole() -> None:
    rows = iter(range(5))
    assert next(together(rows, 2)) == [0, 1]
    assert list(rows) == [2, 3, 4]
